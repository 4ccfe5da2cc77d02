//! Standard input, read when there is something and room for it.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::detach::{Detach, DetachKeys, Typed};

/// The most bytes that are read at once.
const PIECE: usize = 32 << 10;

/// Standard input.
#[derive(Debug)]
pub struct Input {
    keys: DetachKeys,
    has_ended: bool,
    buffer: Vec<u8>,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// So much for the program.
    Bytes(Vec<u8>),
    /// The last of it.
    End(&'static [u8]),
    /// What stood before the keys that end the talk.
    Detached(Vec<u8>),
}

impl Input {
    pub fn new(detach: Detach) -> Self {
        Self { keys: DetachKeys::new(detach), has_ended: false, buffer: vec![0; PIECE] }
    }

    /// The file, if there is more to be read and the program has room for so many bytes.
    pub fn file(&self, room: usize) -> Option<BorrowedFd<'static>> {
        (!self.has_ended && room > self.keys.waiting()).then(rustix::stdio::stdin)
    }

    /// Reads what is there, as many bytes as there is room for.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&mut self, room: usize) -> io::Result<Read> {
        let most = room.saturating_sub(self.keys.waiting()).min(self.buffer.len());
        let Some(place) = self.buffer.get_mut(..most) else { return Ok(Read::Bytes(Vec::new())) };
        match rustix::io::read(rustix::stdio::stdin(), &mut *place) {
            // A terminal that is gone, or that this process may not read, has no more keys.
            Ok(0) | Err(Errno::IO | Errno::BADF) => {
                self.has_ended = true;
                Ok(Read::End(self.keys.end()))
            }
            Ok(count) => Ok(match self.keys.take(place.get(..count).unwrap_or_default()) {
                Typed::Whole(bytes) => Read::Bytes(bytes),
                Typed::Before(bytes) => Read::Detached(bytes),
            }),
            // Others who have the same file may have made it so, and may have read what was there.
            Err(Errno::AGAIN | Errno::INTR) => Ok(Read::Bytes(Vec::new())),
            Err(error) => Err(error.into()),
        }
    }
}
