//! Why a root filesystem does not boot.
//!
//! Everything that is found out is a [`Finding`]: by what rule, how bad it is, the evidence, and what to do about it.
//! [`Image`] reads the root filesystem without mounting it, and [`console`] what a guest has written.

mod check;
pub mod console;
mod finding;
mod image;
mod kernel;
pub mod rules;
mod workload;

pub use check::{
    CheckError, CheckOptions, Flaw, InitKind, InitRequest, InitSearch, Program, Report, SCHEMA_VERSION, Unchecked,
    Verdict, check, inspect, runs,
};
pub use finding::{Finding, Rule, Severity};
pub use image::{Image, ImageError, Superblock};
pub use kernel::{Config, KernelFacts, Setting};
pub use workload::{ImageRoot, Obstacle};
