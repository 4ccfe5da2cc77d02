//! Standard output and standard error, written when they take something.

use std::io;
use std::os::fd::BorrowedFd;

use nex_channel::Flow;
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

/// How much a pipe takes at once that takes anything (`PIPE_BUF`), so that nobody waits for a reader in write(2).
const PIECE: usize = 4096;

/// One of the two.
#[derive(Debug)]
pub struct Sink {
    flow: Flow,
    /// The most bytes that are written at once.
    piece: usize,
}

impl Sink {
    /// That of an output.
    pub fn new(flow: Flow) -> Self {
        let kind = fstat(file(flow)).map(|stat| FileType::from_raw_mode(stat.st_mode));
        Self { flow, piece: if kind == Ok(FileType::RegularFile) { usize::MAX } else { PIECE } }
    }

    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// Where it is written.
    pub fn file(&self) -> BorrowedFd<'static> {
        file(self.flow)
    }

    /// Writes the first of these bytes, and says how many.
    ///
    /// # Errors
    /// When they cannot be written, or nobody reads them any more.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let (piece, _) = bytes.split_at(bytes.len().min(self.piece));
        match rustix::io::write(self.file(), piece) {
            // Others who have the same file may have made it so.
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            written => Ok(written?),
        }
    }
}

fn file(flow: Flow) -> BorrowedFd<'static> {
    match flow {
        Flow::Stderr => rustix::stdio::stderr(),
        Flow::Stdin | Flow::Stdout => rustix::stdio::stdout(),
    }
}
