//! `/dev`: the devices that every program expects, and none that lead to hardware.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountAttrFlags, MountFlags};

use super::{doing, mounts};
use crate::failure::Failure;

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// What `/dev` itself holds: a few names.
const DEV: [(&str, &str); 3] = [("mode", "0755"), ("size", "1m"), ("nr_inodes", "256")];

/// As large as Docker makes it; and a name takes memory too, whatever is in its file.
const SHM: [(&str, &str); 3] = [("mode", "01777"), ("size", "64m"), ("nr_inodes", "16384")];

/// The group `tty` where it is mapped; `newinstance` is what all kernels do today.
const PTS: [(&str, &str); 2] = [("mode", "0600"), ("ptmxmode", "0666")];

/// Mounts `/dev`.
pub fn mount(tree: BorrowedFd) -> Result<(), Failure> {
    let target = mounts::real_directory(tree, "dev").map_err(doing("opening /dev of the image"))?;
    let no_programs = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let dev = mounts::new("tmpfs", &DEV, no_programs).map_err(doing("making /dev"))?;
    mounts::attach(dev.as_fd(), target.as_fd()).map_err(doing("mounting /dev"))?;
    for name in DEVICES {
        add_device(dev.as_fd(), name).map_err(doing(format_args!("making /dev/{name}")))?;
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &dev, name).map_err(doing(format_args!("making /dev/{name}")))?;
    }
    for (name, kind, options) in [("shm", "tmpfs", &SHM[..]), ("pts", "devpts", &PTS)] {
        (|| {
            rustix::fs::mkdirat(&dev, name, Mode::from_raw_mode(0o755))?;
            let mount = mounts::new(kind, options, no_programs)?;
            mounts::attach(mount.as_fd(), mounts::real_directory(dev.as_fd(), name)?.as_fd())
        })()
        .map_err(doing(format_args!("mounting /dev/{name}")))?;
    }
    Ok(())
}

/// One more mount of the host's device; in a user namespace none can be made. The device works as ever, and its file stays
/// what it is on the host, whoever owns it there.
fn add_device(dev: BorrowedFd, name: &str) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::openat(dev, name, flags, Mode::from_raw_mode(0o666))?;
    let device = mounts::another(CWD, &format!("/dev/{name}"))?;
    let target = rustix::fs::openat(dev, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    mounts::attach(device.as_fd(), target.as_fd())?;
    mounts::restrict(device.as_fd(), MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOEXEC)
}
