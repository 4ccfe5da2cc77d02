//! The bytes of an image's file.

use std::error::Error;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use ext4_view::Ext4Read;

/// A file or a block device that is only read.
pub(super) struct Storage {
    file: File,
    length: u64,
}

impl Storage {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let length = nex_file::length(&file)?;
        Ok(Self { file, length })
    }

    /// Its length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes at a place, as many of them as there are.
    pub(super) fn start(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], at.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl Ext4Read for Storage {
    fn read(&mut self, start: u64, buffer: &mut [u8]) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        Ok(self.file.read_exact_at(buffer, start)?)
    }
}
