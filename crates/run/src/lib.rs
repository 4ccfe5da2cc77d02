//! Runs a program in a microVM: what it writes comes out here, and so does its exit code.
//!
//! ```text
//! image.json, the user's words ──> Workload ──> drive ──> guest <──> Supervisor <──> starter, clients, record
//! ```
//!
//! [`supervise`] does all of it, in a process of its own for each guest.

pub mod codes;

mod command;
mod error;
mod follow_error;
mod guest_end;
mod program;
mod reason;
mod record;
mod report;
mod run;
mod supervisor;
mod tail;

pub use command::{CommandError, Overrides};
pub use error::{Error, FAILED};
pub use follow_error::FollowError;
pub use program::ProgramError;
pub use report::{End, MemoryReport, Missing, Report, Stopped, Times};
pub use run::{Options, describe, supervise};
pub use supervisor::{Asked, Bounds, Console, Control, Keeping, Starter, Stop, User};
