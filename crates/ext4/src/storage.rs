//! Where an existing file system is: what changing it in place asks of the place.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::disk;
use crate::read_at::ReadAt;

/// A file, or anything else with bytes at offsets, that holds a file system to be changed in place.
///
/// Writes may reach the disk in any order, except that none crosses [`sync`](Self::sync): the safety of a change against
/// a stop at any moment rests on nothing else.
pub trait Storage: ReadAt {
    /// Writes all of `bytes` from `offset` on.
    ///
    /// # Errors
    /// When the host cannot write.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Takes `length` bytes from `offset` on out of the storage: they read as zeros afterwards.
    ///
    /// # Errors
    /// When the host cannot write.
    fn punch(&self, offset: u64, length: u64) -> io::Result<()>;

    /// Makes the storage so many bytes long; what is new reads as zeros.
    ///
    /// # Errors
    /// When the host refuses.
    fn resize(&self, size: u64) -> io::Result<()>;

    /// Returns when all that was written before is on the disk.
    ///
    /// # Errors
    /// When it is not.
    fn sync(&self) -> io::Result<()>;
}

impl Storage for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<()> {
        disk::punch_bytes(self, offset, length)
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
