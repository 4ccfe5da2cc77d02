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

/// Both.
#[derive(Debug)]
pub struct Sinks {
    sinks: [Sink; 2],
    /// Whether both go to the same file, in which the order of the program's writes is to be kept.
    is_one_file: bool,
    turn: Turn,
}

/// Which of the two may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Any.
    Any,
    /// This one, whose bytes came before the other's.
    First(Flow),
}

impl Sinks {
    pub fn new() -> Self {
        let identity = |flow| fstat(file(flow)).ok().map(|stat| (stat.st_dev, stat.st_ino, stat.st_rdev));
        let is_one_file = identity(Flow::Stdout).is_some() && identity(Flow::Stdout) == identity(Flow::Stderr);
        Self { sinks: [Sink::new(Flow::Stdout), Sink::new(Flow::Stderr)], is_one_file, turn: Turn::Any }
    }

    /// That of an output.
    pub fn of(&self, flow: Flow) -> Option<&Sink> {
        self.sinks.iter().find(|sink| sink.flow() == flow)
    }

    /// Those that may be written.
    pub fn in_turn(&self) -> impl Iterator<Item = &Sink> {
        self.sinks.iter().filter(|sink| self.turn == Turn::Any || self.turn == Turn::First(sink.flow()))
    }

    pub fn turn(&self) -> Turn {
        self.turn
    }

    /// All that is held of this output was there before what is held of the other.
    pub fn write_first(&mut self, flow: Flow) {
        if self.is_one_file {
            self.turn = Turn::First(flow);
        }
    }

    /// All that was held of this output is written.
    pub fn written(&mut self, flow: Flow) {
        if self.turn == Turn::First(flow) {
            self.turn = Turn::Any;
        }
    }
}

fn file(flow: Flow) -> BorrowedFd<'static> {
    match flow {
        Flow::Stderr => rustix::stdio::stderr(),
        Flow::Stdin | Flow::Stdout => rustix::stdio::stdout(),
    }
}
