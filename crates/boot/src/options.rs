//! What is to be booted, and how.

use std::path::PathBuf;
use std::time::Duration;

use nex_vmm::Bus;

use crate::choice::Wish;
use crate::guest_kernel::KernelOptions;

/// A boot.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root filesystem's file. It never changes: what the guest writes is gone with the guest.
    pub file: PathBuf,
    /// The kernel and what goes with it.
    pub kernel: KernelOptions,
    /// Who shall run the guest.
    pub wish: Wish,
    /// What the root's drive is attached to.
    pub bus: Bus,
    /// The guest's memory, in MiB.
    pub memory_mib: u32,
    /// How many processors the guest has.
    pub vcpus: u8,
    /// More words for the kernel's command line; they win over ours.
    pub append: String,
    /// How long the agent may take to report.
    pub timeout: Duration,
    /// Keep the guest when the agent has reported, until it ends itself.
    pub interactive: bool,
}
