//! What is to be booted, and how.

use std::time::Duration;

use nex_guest::{MachineOptions, Root, VmmOptions};

use crate::ready::ReadyWhen;

/// A boot.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root filesystem, opened: what is looked at is what the guest has. It never changes.
    pub root: Root,
    /// What else the guest is made of.
    pub machine: MachineOptions,
    /// Which VMM runs the guest, and how.
    pub vmm: VmmOptions,
    /// Whether the root filesystem is refused that no kernel mounts.
    pub check: bool,
    /// What shows that the guest is ready.
    pub ready: ReadyWhen,
    /// How long the guest may take to be ready.
    pub timeout: Duration,
    /// Keep the guest when it is ready, until it ends itself.
    pub interactive: bool,
}
