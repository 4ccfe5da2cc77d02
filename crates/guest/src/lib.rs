//! Launches a guest, and follows it.
//!
//! ```text
//! root, GuestOptions ──> Setup: kernel, drives, machine ──> Choice of a VMM ──> Session: console, the agent's events, end
//! ```
//!
//! [`Setup::new`] makes sure of what the guest is made of, [`Setup::start`] chooses who runs it, and a [`Session`] gives what the guest
//! says.

mod choice;
mod deadline;
mod drive;
mod ear;
mod error;
mod guest_kernel;
mod memory_file;
mod nameless;
mod overlay;
mod root_file;
mod session;
mod setup;
mod stages;
mod verity;
mod vmm_report;

pub use choice::{Choice, JailWish, Wish, WishedVmm};
pub use deadline::deadline;
pub use drive::{DriveError, NamelessDrive, create_overlay_drive, overlay_drive, workload_drive};
pub use ear::Way;
pub use error::Error;
pub use guest_kernel::{GuestKernel, KernelOptions};
pub use overlay::Overlay;
pub use root_file::RootFile;
pub use session::{Session, Step};
pub use setup::{GuestOptions, Setup};
pub use stages::Stages;
pub use verity::{Verity, VerityError};
pub use vmm_report::{AdvisoryReport, VmmReport};

pub use nex_verity::RootHash;
