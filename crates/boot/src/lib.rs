//! Boots a root filesystem, to see whether its agent reports.
//!
//! ```text
//! Options ──> RootFile, GuestKernel ──> Machine ──> Choice of a VMM ──> Session ──> Report
//! ```
//!
//! [`boot`] does all of it. Who runs a guest for another purpose takes the parts: [`RootFile::open`] and
//! [`GuestKernel::prepare`] make sure of what the guest is made of, [`Choice`] says who runs it, and a [`Session`] gives what
//! the guest says.

mod boot;
mod choice;
mod error;
mod guest_kernel;
mod keyboard;
mod memory_file;
mod options;
mod report;
mod root_file;
mod session;
mod stages;

pub use boot::{Watcher, boot};
pub use choice::{Choice, JailWish, Wish, WishedVmm};
pub use error::Error;
pub use guest_kernel::{GuestKernel, KernelOptions};
pub use options::Options;
pub use report::{EndReport, InitramfsReport, KernelReport, MemoryReport, Outcome, PhaseReport, Report, VmmReport};
pub use root_file::RootFile;
pub use session::{Session, Step};
pub use stages::Stages;
