//! A session of the channel over a stream socket on which no call waits.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nex_channel::{Guest, GuestEvent, Host, HostEvent, Violation};
use nex_guest::Interest;

/// The most that is read at once.
const CHUNK: usize = 32 << 10;

/// The most bytes of frames that wait for room in the socket.
const ROOM: usize = 64 << 10;

/// Either end of a session.
pub trait End {
    /// What the other end says.
    type Event;

    /// Takes bytes up to the next event.
    ///
    /// # Errors
    /// When the other end breaks a rule.
    fn receive(&mut self, input: &mut &[u8]) -> Result<Option<Self::Event>, Violation>;

    /// Adds frames, `room` bytes at most.
    fn transmit(&mut self, out: &mut Vec<u8>, room: usize);
}

impl End for Host {
    type Event = HostEvent;

    fn receive(&mut self, input: &mut &[u8]) -> Result<Option<HostEvent>, Violation> {
        Self::receive(self, input)
    }

    fn transmit(&mut self, out: &mut Vec<u8>, room: usize) {
        Self::transmit(self, out, room);
    }
}

impl End for Guest {
    type Event = GuestEvent;

    fn receive(&mut self, input: &mut &[u8]) -> Result<Option<GuestEvent>, Violation> {
        Self::receive(self, input)
    }

    fn transmit(&mut self, out: &mut Vec<u8>, room: usize) {
        Self::transmit(self, out, room);
    }
}

/// A session, and the socket that carries it.
#[derive(Debug)]
pub struct Link<E> {
    stream: UnixStream,
    /// This end of the session.
    pub end: E,
    /// What waits for room in the socket.
    out: Vec<u8>,
    is_closed: bool,
}

impl<E: End> Link<E> {
    /// A session that begins behind these bytes.
    ///
    /// # Errors
    /// When the socket cannot be had without waiting.
    pub fn new(stream: UnixStream, end: E, out: Vec<u8>) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, end, out, is_closed: false })
    }

    /// Takes what has come, as far as one look at the socket gives it.
    pub fn read(&mut self) -> Vec<E::Event> {
        let mut buffer = vec![0; CHUNK];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.is_closed = true,
            Ok(count) => return self.take(buffer.get(..count).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.is_closed = true,
        }
        Vec::new()
    }

    /// Takes bytes of the other end.
    pub fn take(&mut self, mut bytes: &[u8]) -> Vec<E::Event> {
        let mut events = Vec::new();
        loop {
            match self.end.receive(&mut bytes) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return events,
                Err(_) => {
                    self.is_closed = true;
                    return events;
                }
            }
        }
    }

    /// Sends what there is to be sent, as far as there is room for it now.
    pub fn flush(&mut self) {
        while !self.is_closed {
            let room = ROOM.saturating_sub(self.out.len());
            self.end.transmit(&mut self.out, room);
            if self.out.is_empty() {
                return;
            }
            match self.stream.write(&self.out) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.is_closed = true,
            }
        }
    }

    /// Puts what there is into frames at once, so that what comes later comes behind them, whichever flow it is of.
    pub fn frame(&mut self) {
        let room = ROOM.saturating_sub(self.out.len());
        self.end.transmit(&mut self.out, room);
    }

    /// What is waited for.
    pub fn interest(&self) -> Interest {
        if self.out.is_empty() { Interest::Read } else { Interest::Both }
    }

    /// Whether bytes wait for room in the socket.
    pub fn is_waiting(&self) -> bool {
        !self.out.is_empty() && !self.is_closed
    }

    /// Whether nothing more comes or goes.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }
}

impl<E> AsFd for Link<E> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
