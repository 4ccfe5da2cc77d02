//! The user that Firecracker runs as, and what that user may do with a file.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};

const READ: u32 = 0o4;
const WRITE: u32 = 0o2;

/// A user and a group, and no more groups than that.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Owner {
    /// Makes a file this user's.
    pub fn take(self, file: &File) -> io::Result<()> {
        fchown(file, Some(self.uid), Some(self.gid))
    }

    /// Whether this user may read a file.
    pub fn may_read(self, file: &Metadata) -> bool {
        self.may(file, READ)
    }

    /// Whether this user may read and write a file.
    pub fn may_write(self, file: &Metadata) -> bool {
        self.may(file, READ | WRITE)
    }

    /// The rights of the first class that the user belongs to count, and no other's.
    fn may(self, file: &Metadata, rights: u32) -> bool {
        let shift = match () {
            () if self.uid == 0 => return true,
            () if file.uid() == self.uid => 6,
            () if file.gid() == self.gid => 3,
            () => 0,
        };
        file.mode() >> shift & rights == rights
    }
}
