//! `/proc` of the scripts' own processes, with the machine's settings taken out, and an empty `/sys`.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags};

use super::{doing, mounts};

/// What tells about the machine and its other users. Files read as empty, directories are empty.
const MASKED: [&str; 10] =
    ["acpi", "asound", "kcore", "keys", "kmsg", "latency_stats", "sched_debug", "scsi", "sysrq-trigger", "timer_list"];

/// What can be looked at, and not be changed even by an owner.
const READ_ONLY: [&str; 4] = ["bus", "fs", "irq", "sys"];

/// Mounts `/proc` and `/sys`.
pub fn mount(tree: BorrowedFd) -> Result<(), String> {
    let target = mounts::real_directory(tree, "proc").map_err(doing("opening /proc of the image"))?;
    let attributes = mounts::LOCKED | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let proc = mounts::new("proc", &[], attributes).map_err(doing(
        "mounting /proc (a container that hides parts of its own /proc forbids it; in Docker, run it with \
         '--security-opt systempaths=unconfined')",
    ))?;
    mounts::attach(proc.as_fd(), target.as_fd()).map_err(doing("mounting /proc"))?;
    for name in MASKED {
        mask(proc.as_fd(), name).map_err(doing(format_args!("hiding /proc/{name}")))?;
    }
    for name in READ_ONLY {
        write_protect(proc.as_fd(), name).map_err(doing(format_args!("protecting /proc/{name}")))?;
    }
    let target = mounts::real_directory(tree, "sys").map_err(doing("opening /sys of the image"))?;
    let sys = empty().map_err(doing("making /sys"))?;
    mounts::attach(sys.as_fd(), target.as_fd()).map_err(doing("mounting /sys"))
}

fn empty() -> rustix::io::Result<std::os::fd::OwnedFd> {
    let attributes = mounts::LOCKED | MountAttrFlags::MOUNT_ATTR_NOEXEC | MountAttrFlags::MOUNT_ATTR_RDONLY;
    mounts::new("tmpfs", &[("mode", "0555"), ("size", "4k"), ("nr_inodes", "2")], attributes)
}

fn mask(proc: BorrowedFd, name: &str) -> rustix::io::Result<()> {
    let path = |flags| rustix::fs::openat(proc, name, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty());
    let (cover, target) = match path(OFlags::DIRECTORY) {
        Ok(directory) => (empty()?, directory),
        Err(Errno::NOTDIR) => (mounts::another(CWD, "/dev/null")?, path(OFlags::NOFOLLOW)?),
        // Not every kernel has everything.
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error),
    };
    mounts::attach(cover.as_fd(), target.as_fd())
}

fn write_protect(proc: BorrowedFd, name: &str) -> rustix::io::Result<()> {
    let target = match mounts::real_directory(proc, name) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error),
    };
    let cover = mounts::another(proc, name)?;
    mounts::attach(cover.as_fd(), target.as_fd())?;
    mounts::restrict(cover.as_fd(), MountFlags::RDONLY)
}
