//! What a guest runs, in the two files that tell the agent.
//!
//! A root filesystem has what its image says about itself in [`IMAGE_FILE`], as an [`ImageConfig`]. A workload drive, a small
//! ext4 beside the root, has a [`Workload`] in [`WORKLOAD_FILE`] and, unless that names one of the root's, the program beside it in
//! [`BINARY_FILE`].

mod image_config;
mod restart;
mod workload;

pub use image_config::ImageConfig;
pub use restart::{ParseRestartError, Restart};
pub use workload::Workload;

/// Where the image's configuration stands in the root.
pub const IMAGE_FILE: &str = "/etc/nex/image.json";

/// Where the script stands in the root that runs at every boot.
pub const BOOT_SCRIPT: &str = "/etc/nex/boot-script";

/// Where the description stands on a workload drive.
pub const WORKLOAD_FILE: &str = "/workload.json";

/// Where the program stands on a workload drive, which everybody must be able to execute.
pub const BINARY_FILE: &str = "/binary";

/// The label of a workload drive.
pub const DRIVE_LABEL: &str = "nex-workload";

/// The longest of these files, in bytes, that a reader should take.
pub const MAX_FILE: u64 = 4 << 20;
