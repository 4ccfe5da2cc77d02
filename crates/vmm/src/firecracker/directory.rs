//! The directory of our own for the sockets of a Firecracker that is in no jail.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::FlockOperation;

use super::own::{Own, Removal, abandoned};

/// What the names begin with.
const PREFIX: &str = "nex-firecracker-";

/// A directory; dropped, it goes.
pub struct Directory {
    own: Own,
    /// What there is to know of those that were there before.
    notes: Vec<String>,
}

impl Directory {
    /// Makes one in `TMPDIR` or `/tmp`, and removes what was left behind there.
    pub fn new() -> io::Result<Self> {
        let place = std::env::temp_dir();
        let notes = abandoned(&place, PREFIX).filter_map(|own| own.remove_noting()).collect();
        let directory = nex_file::private::temporary_directory(&place, PREFIX)?;
        let handle = std::fs::File::open(directory.path())?;
        rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { own: Own::new(directory.keep(), handle), notes })
    }

    /// The directory.
    pub fn handle(&self) -> BorrowedFd<'_> {
        self.own.handle().as_fd()
    }

    /// What removes it.
    pub fn removal(&self) -> io::Result<Removal> {
        let own = self.own.again()?;
        Ok(Box::new(move || own.remove_noting()))
    }

    /// What there is to know of those that were there before.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The next one finds what stays.
        drop(self.own.remove());
    }
}
