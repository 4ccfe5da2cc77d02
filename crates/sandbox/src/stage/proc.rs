//! `/proc` of the scripts' own processes, with the machine taken out, and an empty `/sys`.
//!
//! The processes' directories are the scripts' own. All else in `/proc` is about the machine, and the kernel gets new files
//! there with each release. So what is not known to be harmless is covered: a file reads as empty, a directory is empty.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags};

use super::{doing, mounts};
use crate::failure::{Advice, Failure};

/// What tells programs how large the machine is and how to behave on it. It can be looked at, and not be changed even by
/// an owner.
const SHOWN: [&str; 9] =
    ["cgroups", "cpuinfo", "filesystems", "loadavg", "meminfo", "sys", "sysvipc", "uptime", "version"];

/// A file that programs want for the time of the boot and the number of processors (proc_stat(5)), and that counts the
/// interrupts of each device too: how often a key is pressed.
const STAT: &str = "stat";

/// The lines of that file that count interrupts.
const COUNTS: [&str; 2] = ["intr", "softirq"];

/// The names of what covers the rest.
const EMPTY_FILE: &str = "file";
const EMPTY_DIRECTORY: &str = "directory";

/// What covers hold at most: a line for each processor.
const OPTIONS: [(&str, &str); 3] = [("mode", "0555"), ("size", "1m"), ("nr_inodes", "16")];

const ATTRIBUTES: MountAttrFlags = mounts::LOCKED.union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// Mounts `/proc` and `/sys`.
pub fn mount(tree: BorrowedFd) -> Result<(), Failure> {
    let target = mounts::real_directory(tree, "proc").map_err(doing("opening /proc of the image"))?;
    let proc = mounts::new("proc", &[], ATTRIBUTES).map_err(|error| {
        let words = "a container that hides parts of its own /proc forbids it; in Docker, run it with '--security-opt \
                     systempaths=unconfined'";
        Failure::advised(format!("mounting /proc: {error}"), Advice::Words(words.into()))
    })?;
    mounts::attach(proc.as_fd(), target.as_fd()).map_err(doing("mounting /proc"))?;
    let covers = covers(proc.as_fd()).map_err(doing("making what covers /proc"))?;
    for name in of_the_machine(proc.as_fd()).map_err(doing("looking into /proc"))? {
        cover(proc.as_fd(), &name, covers.as_fd()).map_err(doing(format_args!("covering /proc/{name}")))?;
    }
    let target = mounts::real_directory(tree, "sys").map_err(doing("opening /sys of the image"))?;
    let sys = mounts::another(&covers, EMPTY_DIRECTORY).map_err(doing("making /sys"))?;
    mounts::attach(sys.as_fd(), target.as_fd()).map_err(doing("mounting /sys"))
}

/// What is in `/proc` beside processes, and beside links to them.
fn of_the_machine(proc: BorrowedFd) -> rustix::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::new(open(proc, ".", OFlags::DIRECTORY)?)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        let is_own = name.starts_with('.') || name.bytes().all(|byte| byte.is_ascii_digit());
        if !is_own && entry.file_type() != FileType::Symlink {
            names.push(name.into_owned());
        }
    }
    Ok(names)
}

/// A file system with what covers others.
fn covers(proc: BorrowedFd) -> io::Result<OwnedFd> {
    let stat = open(proc, STAT, OFlags::RDONLY)
        .map_err(io::Error::from)
        .and_then(|stat| io::read_to_string(File::from(stat)))?;
    mounts::unchangeable(&OPTIONS, ATTRIBUTES, |mount| {
        let make = |name| {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(mount, name, flags, Mode::from_raw_mode(0o444)).map(File::from)
        };
        make(EMPTY_FILE)?;
        rustix::fs::mkdirat(mount, EMPTY_DIRECTORY, Mode::from_raw_mode(0o555))?;
        make(STAT)?.write_all(without_interrupts(&stat).as_bytes())
    })
}

/// `/proc/stat` as it is now, with no interrupt counted.
fn without_interrupts(stat: &str) -> String {
    let line = |line: &str| {
        let name = line.split(' ').next().unwrap_or_default();
        if COUNTS.contains(&name) { format!("{name} 0\n") } else { format!("{line}\n") }
    };
    stat.lines().map(line).collect()
}

/// Covers a file or directory: with itself, if it can be shown, and else with what is empty.
fn cover(proc: BorrowedFd, name: &str, covers: BorrowedFd) -> rustix::io::Result<()> {
    let target = match open(proc, name, OFlags::PATH | OFlags::NOFOLLOW) {
        // Parts of the kernel that were unloaded meanwhile.
        Err(Errno::NOENT) => return Ok(()),
        target => target?,
    };
    let cover = match FileType::from_raw_mode(rustix::fs::fstat(&target)?.st_mode) {
        _ if SHOWN.contains(&name) => mounts::another(proc, name)?,
        _ if name == STAT => mounts::another(covers, STAT)?,
        FileType::Directory => mounts::another(covers, EMPTY_DIRECTORY)?,
        _ => mounts::another(covers, EMPTY_FILE)?,
    };
    mounts::attach(cover.as_fd(), target.as_fd())?;
    mounts::restrict(cover.as_fd(), MountFlags::RDONLY)
}

fn open(proc: BorrowedFd, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(proc, name, flags | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupts_are_not_counted() {
        let stat = "cpu  1 2\ncpu0 1 2\nintr 77 0 9 0\nctxt 5\nbtime 1700000000\nsoftirq 9 1 2\n";
        let shown = "cpu  1 2\ncpu0 1 2\nintr 0\nctxt 5\nbtime 1700000000\nsoftirq 0\n";
        assert_eq!(without_interrupts(stat), shown);
    }
}
