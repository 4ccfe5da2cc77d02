//! Why a root filesystem does not boot.
//!
//! Everything that is found out is a [`Finding`]: by what rule, how bad it is, the evidence, and what to do about it.
//! [`check`] looks at a root filesystem before it boots, and [`console`] at what a guest has written.

mod check;
pub mod codes;
pub mod console;
mod feature;
mod finding;
mod kernel;
mod refused;
pub mod rules;
mod workload;

pub use check::{
    CheckError, CheckOptions, Flaw, InitKind, InitRequest, InitSearch, Program, Report, Unchecked, Verdict,
    architecture, check, check_file, check_mount, check_open_file, inspect, runs,
};
pub use finding::{Finding, Rule, Severity};
pub use kernel::{Config, KernelFacts, Setting};
pub use refused::Refused;
pub use workload::{ImageRoot, Obstacle};
