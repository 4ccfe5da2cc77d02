//! Runs a program in a microVM.
//!
//! ```text
//! image.json, the user's words ──> Workload ──> drive
//! ```

mod command;
mod drive;
mod program;

pub use command::{CommandError, Wishes, image_config, workload};
pub use drive::{DriveError, NamelessDrive, create_overlay_drive, overlay_drive, workload_drive};
pub use program::{OwnProgram, ProgramError};
