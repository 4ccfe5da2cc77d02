//! What is to be booted, and how.

use std::path::PathBuf;
use std::time::Duration;

use nex_guest::{MachineOptions, VmmOptions};

use crate::ready::ReadyWhen;

/// A boot.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root filesystem's file. It never changes.
    pub root: PathBuf,
    /// What else the guest is made of.
    pub machine: MachineOptions,
    /// Which VMM runs the guest, and how.
    pub vmm: VmmOptions,
    /// What shows that the guest is ready.
    pub ready: ReadyWhen,
    /// How long the guest may take to be ready.
    pub timeout: Duration,
    /// Keep the guest when it is ready, until it ends itself.
    pub interactive: bool,
}
