//! Reads a tree of files that others may change meanwhile.
//!
//! Nothing is opened by a path of several parts: from the root on, each name is opened in its parent's handle without
//! following links, so a tree that changes meanwhile cannot lead elsewhere (CVE-2018-15664). Nothing waits either: what was
//! looked at as a file and is a FIFO by the time it is opened is an error. However deep the tree is, the walk takes no more
//! stack and no more open files than in a flat one.

mod trail;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Dir, Mode, OFlags, Stat};
use rustix::io::Errno;

pub use trail::{Child, Lost, Trail};

/// Flags for everything that is opened below the root. A FIFO must not block.
const BELOW: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// Why something in a tree cannot be read.
#[derive(Clone, Copy, Debug)]
pub enum Problem {
    /// The system says no.
    System(Errno),
    /// It is not what it was a moment ago.
    Changed,
}

impl From<Errno> for Problem {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl From<Problem> for io::Error {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::System(errno) => errno.into(),
            Problem::Changed => Self::other("it changed while it was read; let nothing write to the tree meanwhile"),
        }
    }
}

/// Opens a name in a directory, whatever it is, but no link.
///
/// # Errors
/// What the system says.
pub fn open_below(parent: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(parent, name, BELOW | flags, Mode::empty())
}

/// Opens what was just looked at, and makes sure that it is the same thing.
///
/// # Errors
/// What the system says, or that it is another thing.
pub fn reopen(parent: BorrowedFd<'_>, name: &CStr, seen: &Stat, flags: OFlags) -> Result<OwnedFd, Problem> {
    let handle = open_below(parent, name, flags)?;
    let stat = rustix::fs::fstat(&handle)?;
    let same = (stat.st_dev, stat.st_ino, stat.st_mode) == (seen.st_dev, seen.st_ino, seen.st_mode);
    if same { Ok(handle) } else { Err(Problem::Changed) }
}

/// The names in a directory, in the order of their bytes.
///
/// # Errors
/// What the system says.
pub fn names(directory: impl AsFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if ![c".", c".."].contains(&entry.file_name()) {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Whether nobody has written to a file in between: any write changes the size or the change time.
pub fn is_same_state(before: &Stat, after: &Stat) -> bool {
    let state = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec);
    state(before) == state(after)
}
