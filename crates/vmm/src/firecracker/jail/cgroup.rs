//! Control groups, which the jailer makes for limits and does not remove.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// Where a machine has all controllers in one hierarchy, that of version 2.
const UNIFIED: &str = "/sys/fs/cgroup/cgroup.controllers";

/// The version that this machine's control groups have.
pub fn version() -> u8 {
    if Path::new(UNIFIED).exists() { 2 } else { 1 }
}

/// Removes a jail's group, in every hierarchy that has it. Only empty groups go.
pub fn remove(name: &OsStr, id: &OsStr) {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    for mount in mounts.lines() {
        let mut fields = mount.split(' ');
        if let (Some(place), Some("cgroup" | "cgroup2")) = (fields.nth(1), fields.next()) {
            let _ = fs::remove_dir(Path::new(place).join(name).join(id));
        }
    }
}
