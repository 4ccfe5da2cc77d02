//! Makes a root filesystem from a container image and an agent.
//!
//! [`build`] goes one way, and writes each byte of file content once:
//!
//! ```text
//! image ──> layers ──> placed content + entries ──> merged tree ──> ext4 file ──> output
//!                                                        ^
//!                  what setup scripts change, the agent and its wiring: more layers
//! ```

pub mod agent;
mod agent_file;
mod blob_cache;
mod build;
pub mod codes;
mod dress;
mod error;
mod events;
mod existing_file;
mod file_system;
mod foreign;
mod grow;
pub mod guest;
mod identity;
mod layer;
mod layer_cache;
mod leftovers;
mod links;
mod merge;
mod output;
mod phases;
mod place;
mod report;
mod resolve;
mod script;
mod set_agent;
mod usage;
mod verity;
mod view;

pub use agent_file::AgentFileError;
pub use build::{GuestOptions, Options, build, open_shell};
pub use dress::DressError;
pub use error::{Error, TooSmall};
pub use events::Events;
pub use existing_file::ExistingFileError;
pub use file_system::FileSystemOptions;
pub use foreign::ForeignError;
pub use grow::{GrowOptions, GrowReport, NewSize, grow};
pub use layer::PathError;
pub use leftovers::{GarbageReport, collect_garbage};
pub use links::LinkError;
pub use merge::MergeError;
pub use nex_tar::Error as TarError;
pub use output::{Compression, Destination, OtherForm, OutputError, Role as OutputRole};
pub use place::{EntryName, Limits, PlaceCause, PlaceError};
pub use report::{
    AgentReport, AgentServiceReport, ChangeKind, ChangeReport, DirectoryReport, ImageReport, LayerReport, PhaseReport,
    Report, ScriptReport, Usage, VerityReport,
};
pub use resolve::ResolveError;
#[doc(hidden)]
pub use script::fuzzing;
pub use script::{CLEAN_GROUPS, Clean, CleanGroup, SNAPSHOT, ScriptError, ScriptOptions, network_note};
pub use set_agent::{SetAgentError, SetAgentOptions, SetAgentReport, set_agent};
pub use usage::DirectoryUsage;
pub use verity::Place as VerityPlace;
