//! Control groups, which the jailer makes for limits and does not remove.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Where a machine has all controllers in one hierarchy, that of version 2.
const UNIFIED: &str = "/sys/fs/cgroup/cgroup.controllers";

/// The version that this machine's control groups have.
pub fn version() -> u8 {
    if Path::new(UNIFIED).exists() { 2 } else { 1 }
}

/// How long processes that were killed with a run of nex may take to leave their group.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look whether they have.
const PAUSE: Duration = Duration::from_millis(10);

/// Removes a jail's group, in every hierarchy that has it. Only empty groups go.
pub fn remove(name: &OsStr, id: &OsStr) {
    let deadline = Instant::now() + PATIENCE;
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    for mount in mounts.lines() {
        let mut fields = mount.split(' ');
        if let (Some(place), Some("cgroup" | "cgroup2")) = (fields.nth(1), fields.next()) {
            let group = Path::new(place).join(name).join(id);
            while fs::remove_dir(&group).is_err_and(|error| error.kind() == ErrorKind::ResourceBusy)
                && Instant::now() < deadline
            {
                thread::sleep(PAUSE);
            }
        }
    }
}
