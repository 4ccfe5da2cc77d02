//! Where a file system is read from.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A file, or anything else with bytes at offsets.
pub trait ReadAt {
    /// The length in bytes.
    ///
    /// # Errors
    /// When the host does not say.
    fn size(&self) -> io::Result<u64>;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// When the host cannot read, or what is read from ends before.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_at(bytes, offset)
    }
}

impl ReadAt for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }
}
