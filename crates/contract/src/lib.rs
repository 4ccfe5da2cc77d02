//! What a guest runs, in the two files that tell the agent, and whether it can be started.
//!
//! A root filesystem has what its image says about itself in [`IMAGE_FILE`], as an [`ImageConfig`]. A workload drive, a small
//! ext4 beside the root, has a [`Workload`] in [`WORKLOAD_FILE`] and, unless that names one of the root's, the program beside it in
//! [`BINARY_FILE`].
//!
//! Root's password in a guest is what [`Password`] makes of its field. [`Mark`] is how a host knows an agent of nex's own.
//!
//! [`find_program`], [`find_directory`], [`User::find`] and [`stop_signal`] say what keeps it from starting. The agent asks them in the
//! guest, and nex before the guest boots.

mod image_config;
mod json;
mod mark;
mod password;
mod pid1;
mod restart;
mod start;
mod stop_signal;
mod user;
mod variable;
mod workload;

pub use image_config::ImageConfig;
pub use json::Json;
pub use mark::{Mark, MarkNote, PROTOCOL};
pub use password::{Password, may_be_asked_for};
pub use pid1::Pid1;
pub use restart::{ParseRestartError, Restart};
pub use start::{Found, NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, PATH, Root, Unstarted, find_directory, find_program};
pub use stop_signal::stop_signal;
pub use user::User;
pub use variable::split_variable;
pub use workload::Workload;

/// Where the image's configuration stands in the root.
pub const IMAGE_FILE: &str = "/etc/nex/image.json";

/// Where the script stands in the root that runs at every boot.
pub const BOOT_SCRIPT: &str = "/etc/nex/boot-script";

/// Where the script stands in the root that gives an agent its variables and arguments, where they are not in a unit of systemd.
pub const RUN_AGENT: &str = "/etc/nex/run-agent";

/// Where our agent, as the init, writes the guest's name servers at every boot. `/etc/resolv.conf` is a link to it there.
pub const AGENT_RESOLV_CONF: &str = "/run/nex/resolv.conf";

/// Where the description stands on a workload drive.
pub const WORKLOAD_FILE: &str = "/workload.json";

/// Where the program stands on a workload drive, which everybody must be able to execute.
pub const BINARY_FILE: &str = "/binary";

/// The label of a workload drive.
pub const DRIVE_LABEL: &str = "nex-workload";

/// The longest of these files, in bytes, that a reader should take.
pub const MAX_FILE: u64 = 4 << 20;
