//! The program that init is executed from: a copy of this one that nobody can change.
//!
//! Code of the image finds the file that it was executed from as `/proc/self/exe`, and an image says what that is: its
//! `/bin/sh` may be a symbolic link to `/proc/self/exe`, which is init's program at the moment when init's child executes
//! it. Were that a file of the host, its owner's rights would be enough to give it another mode (CVE-2019-5736 is of this
//! kind). So init's program is in a file system of its own, in memory and read-only for all.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use super::mounts;

/// The name that error messages of the kernel and `/proc/PID/maps` show.
const NAME: &str = "nex";

/// For root and one file.
const OPTIONS: [(&str, &str); 2] = [("mode", "0555"), ("nr_inodes", "4")];

/// The program of this process, to be read.
pub fn open() -> io::Result<File> {
    File::open("/proc/self/exe")
}

/// A copy of a program, to be executed by its descriptor. It is gone when no process has it any more.
pub fn copy(program: &mut File) -> io::Result<OwnedFd> {
    let mount = mounts::unchangeable(&OPTIONS, mounts::LOCKED, |mount| {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let copy = rustix::fs::openat(mount, NAME, flags, Mode::from_raw_mode(0o555))?;
        io::copy(program, &mut File::from(copy)).map(drop)
    })?;
    Ok(rustix::fs::openat(&mount, NAME, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}
