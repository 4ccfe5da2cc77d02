//! The processes of a jail. Their root directory tells them, which nobody in the jail can change; what is written in its files
//! does not: the jail's user may have written it.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, StatxFlags};
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::process::is_readable;

/// How long a process that is killed may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A directory, wherever it is mounted.
type Id = (u32, u32, u64);

/// Kills every process that has this directory as its root, and waits until they have ended.
pub fn end(root: &File) -> io::Result<()> {
    let root = id_of(root, "", AtFlags::EMPTY_PATH)?;
    let mut killed = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(process) = number.and_then(Pid::from_raw)
            && has_root(process, root)
        {
            killed.extend(kill(process, root));
        }
    }
    let deadline = Instant::now() + PATIENCE;
    for process in &killed {
        is_readable(process.as_fd(), deadline)?;
    }
    Ok(())
}

/// Kills a process, if it still is one of the jail's now that no other can get its number.
fn kill(process: Pid, root: Id) -> Option<OwnedFd> {
    let held = rustix::process::pidfd_open(process, PidfdFlags::empty()).ok()?;
    if !has_root(process, root) {
        return None;
    }
    rustix::process::pidfd_send_signal(&held, Signal::KILL).ok()?;
    Some(held)
}

fn has_root(process: Pid, root: Id) -> bool {
    id_of(CWD, &format!("/proc/{}/root/", process.as_raw_nonzero()), AtFlags::empty()).is_ok_and(|its| its == root)
}

/// Never asks a file system that is somebody's program, which might not answer.
fn id_of(directory: impl AsFd, path: &str, flags: AtFlags) -> io::Result<Id> {
    let stat = rustix::fs::statx(directory, path, flags | AtFlags::STATX_DONT_SYNC, StatxFlags::INO)?;
    Ok((stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino))
}
