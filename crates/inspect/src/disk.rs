//! The bytes of a root filesystem's file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nex_ext4::ReadAt;

/// A file or a block device that is only read.
pub(crate) struct Disk {
    file: File,
    length: u64,
}

impl Disk {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let length = nex_file::length(&file)?;
        Ok(Self { file, length })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Its length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes at a place, as many of them as there are.
    pub(crate) fn start(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(&self.file, &mut buffer[filled..], at.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl ReadAt for Disk {
    fn size(&self) -> io::Result<u64> {
        Ok(self.length)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }
}
