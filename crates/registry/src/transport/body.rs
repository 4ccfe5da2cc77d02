//! What a request carries: bytes that can be sent more than once.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// What a request carries. It is read from its beginning each time that it is sent: once more after a challenge, after a
/// redirect, and after a failure that another attempt may mend.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// Nothing.
    Empty,
    /// A document. It shares the time of its request.
    Bytes(&'a [u8]),
    /// A stream, which has the time that its length takes at the least throughput.
    Content(&'a dyn Content),
}

impl Body<'_> {
    /// Bytes of it.
    pub fn length(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Content(content) => content.length(),
        }
    }
}

impl std::fmt::Debug for Body<'_> {
    /// The content may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.length())
    }
}

/// A stream of a known length that can be read again from its beginning.
pub trait Content: Send + Sync {
    /// Bytes of it.
    fn length(&self) -> u64;

    /// Its beginning.
    ///
    /// # Errors
    /// When it cannot be read.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;
}

/// A part of a file.
#[derive(Clone, Copy, Debug)]
pub struct FilePart<'a> {
    /// The file. Its position is neither used nor moved.
    pub file: &'a File,
    /// The first byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

impl Content for FilePart<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(FileReader { file: self.file, at: self.start, left: self.length }))
    }
}

struct FileReader<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
