//! Launches a guest, and follows it.
//!
//! ```text
//! Root, MachineOptions ──> Setup: kernel, drives, machine ──> Choice of a VMM ──> Session: console, the agent's events, end
//! ```
//!
//! A [`Root`] is opened once, to be checked and to be booted. [`Setup::new`] makes sure of what the guest is made of, [`Setup::start`] chooses who runs it, and a [`Session`] gives what the guest
//! says.

pub mod codes;

mod agent_channel;
mod agent_words;
mod carrier;
mod channel;
mod choice;
mod deadline;
mod drive;
mod error;
mod guest_kernel;
mod memory_file;
mod missing_drivers;
mod overlay;
mod proc_fd;
mod root_fs;
mod session;
mod setup;
mod stages;
mod verity;
mod vm_config;
mod vmm_report;

pub use agent_channel::Way;
pub use channel::ChannelWish;
pub use choice::{Choice, JailOptions, VmmKind, VmmOptions};
pub use deadline::deadline;
pub use drive::{DriveError, DrivePlace, UnnamedDrive, create_overlay_drive, overlay_drive, workload_drive};
pub use error::Error;
pub use guest_kernel::{GuestKernel, KernelOptions};
pub use overlay::Overlay;
pub use root_fs::{Root, RootError};
pub use session::{Hearing, Interest, Session, Step, Waker, wait_for};
pub use setup::{MachineOptions, Setup};
pub use stages::Stages;
pub use verity::{Verity, VerityError};
pub use vm_config::{Beside, Description, DescriptionForm, Warning};
pub use vmm_report::{AdvisoryReport, VmmReport};

pub use nex_verity::RootHash;
