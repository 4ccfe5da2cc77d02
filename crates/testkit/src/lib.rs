//! Independent judges and test images for nex's own tests.
//!
//! Nothing here knows how nex works; [`nex`] runs the command as users do. The judges are other people's programs and libraries (e2fsck, debugfs, the kernel
//! of this machine and one in a guest, `ext4-view`, umoci), the inputs are made by other people's programs (mmdebstrap,
//! umoci, skopeo, docker-registry) or by hand, entry by entry. Each judge has a test that shows it objecting to damage.

pub mod backup;
pub mod cache_entry;
pub mod command;
pub mod corpus;
pub mod debian;
mod debugfs;
pub mod distribution;
pub mod docker_registry;
pub mod e2fsck;
pub mod elf;
pub mod failure;
pub mod fault;
pub mod fault_registry;
pub mod fault_server;
pub mod firecracker;
pub mod fsck;
pub mod guest;
pub mod guest_files;
pub mod host_tree;
pub mod hostile_text;
pub mod http_server;
pub mod image_tree;
pub mod inner_addresses;
pub mod kernel;
pub mod kernel_log;
pub mod layer;
pub mod layout;
pub mod loop_device;
pub mod made_kernel;
pub mod manifest;
pub mod nex;
pub mod noise;
pub mod online_growth;
pub mod packed;
pub mod places;
pub mod program;
pub mod registry;
pub mod skopeo;
pub mod sparse;
pub mod terminal;
pub mod tiny_guest;
pub mod umoci;
pub mod unclean_stop;
pub mod veritysetup;

pub use failure::{Failure, Result};
