//! Boots a root filesystem, to see whether its agent reports, or something else shows that the guest is ready.
//!
//! [`boot`] does all of it: `nex_guest` launches the guest, and what comes of it is the [`Report`].

pub mod codes;

mod agent;
mod boot;
mod error;
mod keyboard;
mod options;
mod prepare;
mod ready;
mod report;

pub use boot::{Watcher, boot, describe};
pub use error::Error;
pub use options::Options;
pub use ready::{LinePattern, ReadyWhen};
pub use report::{
    EndReport, InitramfsReport, KernelReport, MemoryReport, Outcome, PhaseReport, ReadyBy, Report, VerityReport,
};
