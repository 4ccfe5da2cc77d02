//! Boots a root filesystem, to see whether its agent reports, or something else shows that the guest is ready.
//!
//! ```text
//! Options ──> Setup: kernel, drives, machine ──> Choice of a VMM ──> Session ──> Report
//! ```
//!
//! [`boot`] does all of it. Who runs a guest for another purpose takes the parts: [`Setup::new`] makes sure of what the guest
//! is made of, [`Setup::start`] chooses who runs it, and a [`Session`] gives what the guest says.

mod agent;
mod boot;
mod choice;
mod deadline;
mod drive;
mod ear;
mod error;
mod guest_kernel;
mod keyboard;
mod memory_file;
mod nameless;
mod options;
mod overlay;
mod ready;
mod report;
mod root_file;
mod session;
mod setup;
mod stages;
mod verity;

pub use boot::{Watcher, boot};
pub use choice::{Choice, JailWish, Wish, WishedVmm};
pub use deadline::deadline;
pub use drive::{DriveError, NamelessDrive, create_overlay_drive, overlay_drive, workload_drive};
pub use error::Error;
pub use guest_kernel::{GuestKernel, KernelOptions};
pub use options::Options;
pub use overlay::Overlay;
pub use ready::{LinePattern, ReadyWhen};
pub use report::{
    AdvisoryReport, EndReport, InitramfsReport, KernelReport, MemoryReport, Outcome, PhaseReport, ReadyBy, Report,
    VerityReport, VmmReport, Way,
};
pub use root_file::RootFile;
pub use session::{Session, Step};
pub use setup::{GuestOptions, Setup};
pub use stages::Stages;
pub use verity::{Verity, VerityError};

pub use nex_verity::RootHash;
