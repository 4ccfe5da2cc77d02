//! The connection, and the host's end of the session on it.

use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nex_channel::{Host, HostEvent, HostOptions, Violation};
use rustix::event::PollFlags;

/// The most bytes that wait for the connection, and that are read of it at once.
const ROOM: usize = 64 << 10;

/// The connection.
#[derive(Debug)]
pub struct Link {
    /// The host's end.
    pub host: Host,
    connection: UnixStream,
    /// What waits to be sent, and how much of it is sent already.
    out: Vec<u8>,
    sent: usize,
    /// Whether the other end takes what is sent.
    is_taken: bool,
    has_ended: bool,
    /// What has come, from where to where it is not taken yet.
    buffer: Vec<u8>,
    come: Range<usize>,
}

impl Link {
    /// A session that begins on this connection.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(connection: UnixStream) -> io::Result<Self> {
        connection.set_nonblocking(true)?;
        let host = Host::new(HostOptions::default());
        let (out, buffer) = (Vec::with_capacity(ROOM), vec![0; ROOM]);
        Ok(Self { host, connection, out, sent: 0, is_taken: true, has_ended: false, buffer, come: 0..0 })
    }

    /// The connection, and what to wait for there; `None` where that is nothing.
    pub fn file(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, !self.has_input());
        flags.set(PollFlags::OUT, self.is_taken && self.sent < self.out.len());
        (!self.has_ended && !flags.is_empty()).then(|| (self.connection.as_fd(), flags))
    }

    /// Whether there is more to be taken of what has come.
    pub fn has_input(&self) -> bool {
        !self.come.is_empty()
    }

    /// Sends as much of what waits as the connection takes. Whether the other end is still there is seen where it is read from.
    pub fn send(&mut self) {
        while self.is_taken {
            if self.sent == self.out.len() {
                self.out.clear();
                self.sent = 0;
                self.host.transmit(&mut self.out, ROOM);
            }
            let Some(waiting) = self.out.get(self.sent..).filter(|waiting| !waiting.is_empty()) else { return };
            match self.connection.write(waiting) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.is_taken = false,
            }
        }
    }

    /// Takes in what has come, once all that came before is taken.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn receive(&mut self) -> io::Result<()> {
        if self.has_input() {
            return Ok(());
        }
        match self.connection.read(&mut self.buffer) {
            Ok(0) => self.has_ended = true,
            Ok(count) => self.come = 0..count,
            // The other end has gone, and has not read all.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => self.has_ended = true,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The next event in what has come.
    ///
    /// # Errors
    /// When the other end breaks the rules of the channel.
    pub fn event(&mut self) -> Result<Option<HostEvent>, Violation> {
        let mut input = self.buffer.get(self.come.clone()).unwrap_or_default();
        let event = self.host.receive(&mut input);
        self.come.start = self.come.end - input.len();
        event
    }

    /// Whether nothing more comes.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }
}
