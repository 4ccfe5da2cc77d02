//! A regular file's entry: the header, then exactly as many bytes as it says.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use nex_file::tree::is_same_state;

use super::header::{Kind, padding};
use super::{Walk, xattr};
use crate::layer::pipe::Stop;

impl Walk<'_> {
    /// Writes a file. One that changes on the way would give a tar that nobody ever had on disk, so it is an error.
    pub(super) fn file(&mut self, handle: OwnedFd, path: &[u8]) -> Result<(), Stop> {
        let before = rustix::fs::fstat(&handle).map_err(|errno| self.stop("look at", path, errno))?;
        let xattrs =
            xattr::of_handle(handle.as_fd()).map_err(|error| self.failed("read the xattrs of", path, error))?;
        self.entry(path, &before, Kind::File, &xattrs)?;

        let size = u64::try_from(before.st_size).map_err(|_| self.broken(path, "has a negative size"))?;
        let mut file = File::from(handle);
        let mut left = size;
        while left > 0 {
            let read = self.sink.read_from(&mut file, left)?;
            match read.map_err(|error| self.failed("read", path, error))? {
                0 => return Err(self.changed(path)),
                read => left -= read as u64,
            }
        }
        self.sink.write(padding(size))?;

        let after = rustix::fs::fstat(&file).map_err(|errno| self.stop("look at", path, errno))?;
        if is_same_state(&before, &after) { Ok(()) } else { Err(self.changed(path)) }
    }
}
