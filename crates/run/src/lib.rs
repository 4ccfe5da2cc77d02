//! Runs a program in a microVM: what it writes comes out here, and so does its exit code.
//!
//! ```text
//! image.json, the user's words ──> Workload ──> drive ──> guest ──> console ──> events ──> stdout, stderr, exit code
//! ```
//!
//! [`run`] does all of it.

pub mod codes;

mod command;
mod error;
mod follow;
mod program;
mod record;
mod report;
mod run;
mod streams;
mod tail;

pub use command::{CommandError, Overrides};
pub use error::{Error, FAILED};
pub use follow::{Bounds, FollowError, Stop, User};
pub use program::ProgramError;
pub use report::{End, MemoryReport, Missing, Report, Stopped, Times};
pub use run::{Options, describe, run};
pub use streams::Streams;
