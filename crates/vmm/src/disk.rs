//! A drive's file, which is open from when it is looked at to when its guest has it.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::access::Access;
use crate::error::Error;

/// A regular file or a block device that is open.
///
/// A VMM gets at it by what is open, and never by its name: what has been seen in the file is what the guest gets, whatever stands
/// under that name by then.
#[derive(Clone, Debug)]
pub struct Disk {
    path: PathBuf,
    file: Arc<File>,
}

impl Disk {
    /// Opens a file for a guest that may do this with it.
    ///
    /// # Errors
    /// When it cannot be opened, or is neither a regular file nor a block device.
    pub fn open(path: impl Into<PathBuf>, access: Access) -> Result<Self, Error> {
        let path = path.into();
        let opened = match access {
            Access::ReadOnly | Access::CopyOnWrite => nex_file::open_disk(&path),
            Access::Write => nex_file::open_disk_to_change(&path),
        };
        match opened {
            Ok(file) => Ok(Self::of(path, file)),
            Err(cause) => Err(Error::Open { path, cause }),
        }
    }

    /// The same for a file that is open; `path` is what messages call it.
    pub fn of(path: impl Into<PathBuf>, file: File) -> Self {
        Self { path: path.into(), file: Arc::new(file) }
    }

    /// The name that it had when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The name under which a process that has inherited it opens it anew.
    pub(crate) fn inherited_name(&self) -> String {
        inherited_name(self.file())
    }
}

/// The name under which a process that has a file open under our number opens it anew: with its own place in the file, its own
/// locks, and with the rights that it asks for.
pub fn inherited_name(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}
