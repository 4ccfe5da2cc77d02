//! A program's output, on its way to lines for the host.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nex_protocol::{Source, Stream};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::frame::Framer;
use crate::host::Host;

/// One stream of a program's output. Others who inherited it may write to it after the program's end.
pub struct Pipe {
    file: File,
    framer: Framer,
    ended: bool,
}

/// Whether more may come from a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    MayCome,
    Nothing,
}

impl Pipe {
    /// The pipe of a stream, whose reader it makes wait no more.
    pub fn new(descriptor: OwnedFd, source: Source, stream: Stream) -> nix::Result<Self> {
        // The agent's end alone: the two ends of a pipe are separate descriptions.
        fcntl(&descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { file: descriptor.into(), framer: Framer::new(source, stream), ended: false })
    }

    /// Whether all that the program itself has written is told.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// When a part of a line is to be told that waits for its rest.
    pub fn deadline(&self) -> Option<Instant> {
        self.framer.deadline()
    }

    /// Tells the host what has been written, as long as it takes that. The program runs, or `is_over`.
    pub fn tell(&mut self, host: &mut Host, is_over: bool, buffer: &mut [u8]) -> Rest {
        self.ended = false;
        while host.has_room() {
            match self.file.read(buffer) {
                Ok(0) => {
                    self.framer.flush(|event| host.tell(event));
                    return Rest::Nothing;
                }
                Ok(count) => self.framer.push(buffer.split_at(count).0, |event| host.tell(event)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // What the program itself has written is all here once it has ended.
                    self.ended = is_over;
                    break;
                }
                Err(error) => {
                    self.framer.flush(|event| host.tell(event));
                    host.fail(format!("cannot read the program's output: {error}"));
                    return Rest::Nothing;
                }
            }
        }
        if self.ended || self.framer.deadline().is_some_and(|deadline| Instant::now() >= deadline) {
            self.framer.flush(|event| host.tell(event));
        }
        Rest::MayCome
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
