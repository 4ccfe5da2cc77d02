//! The bytes of a file. Holes are not written.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use nex_tar::ContentSink;

/// A file that is being written.
pub struct FileSink {
    file: File,
    /// Where the file would end.
    position: u64,
    /// Where the bytes that were written end.
    written: u64,
}

impl FileSink {
    /// Begins with an empty file.
    pub fn new(file: File) -> Self {
        Self { file, position: 0, written: 0 }
    }

    /// Gives the file its length, which it does not have yet where it ends with a hole.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self) -> io::Result<File> {
        if self.written < self.position {
            self.file.set_len(self.position)?;
        }
        Ok(self.file)
    }
}

impl ContentSink for FileSink {
    type Error = io::Error;

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.written != self.position {
            self.file.seek(SeekFrom::Start(self.position))?;
        }
        self.file.write_all(bytes)?;
        self.position = self.position.checked_add(bytes.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        self.written = self.position;
        Ok(())
    }

    fn hole(&mut self, length: u64) -> io::Result<()> {
        self.position = self.position.checked_add(length).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(())
    }
}
