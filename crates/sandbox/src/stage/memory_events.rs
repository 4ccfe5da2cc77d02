//! What the scripts' cgroup tells.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::memory_group;

/// The group's `memory.events`.
#[derive(Clone)]
pub struct MemoryEvents(pub Arc<File>);

impl MemoryEvents {
    /// Whether the kernel has killed a process of the group.
    pub fn has_run_out(&self) -> bool {
        let mut text = [0; 512];
        let length = self.0.read_at(&mut text, 0).unwrap_or(0);
        memory_group::has_run_out(&String::from_utf8_lossy(&text[..length]))
    }
}
