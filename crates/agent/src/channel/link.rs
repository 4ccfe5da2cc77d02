//! The guest's end of a session, and the carrier that it goes over. Nothing here waits.

use std::io::{ErrorKind, Read, Write};

use nex_channel::{Carrier as Kind, Guest, GuestEvent, GuestOptions};
use nix::poll::{PollFd, PollFlags};

use crate::carrier::Carrier;

/// How many bytes of each flow the agent takes and holds at most.
const WINDOW: u32 = 64 << 10;

/// How many bytes are read from the carrier at once, and how many wait for it.
pub const CHUNK: usize = 32 << 10;

/// What has happened on the carrier.
#[derive(Debug)]
pub enum Happened {
    /// The host says something.
    Said(GuestEvent),
    /// The session is over, with all its streams; for a reason, unless the host has said CLOSE or has gone.
    Over(Option<String>),
}

/// A carrier, and the session on it, if there is one.
#[derive(Debug)]
pub struct Link {
    carrier: Carrier,
    /// The end of the session.
    pub guest: Guest,
    /// Frames on their way.
    out: Vec<u8>,
    written: usize,
    /// Whether the connection is to be closed once they are written.
    after: After,
    progress: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    GoOn,
    HangUp,
}

impl Link {
    pub fn new(carrier: Carrier) -> Self {
        let guest = guest(carrier.kind());
        Self { carrier, guest, out: Vec::new(), written: 0, after: After::GoOn, progress: 0 }
    }

    /// Adds what to wait for.
    pub fn wait_for<'a>(&'a self, descriptors: &mut Vec<PollFd<'a>>) {
        descriptors.extend(self.carrier.descriptors().map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)));
        if self.written < self.out.len() {
            descriptors.extend(self.carrier.outlet().map(|outlet| PollFd::new(outlet, PollFlags::POLLOUT)));
        }
    }

    /// A number that grows while the host takes something. What it says is no sign that it does: a host may speak without end.
    pub fn progress(&self) -> u64 {
        self.progress
    }

    /// Whether there is nothing that the host could still take.
    pub fn is_idle(&self) -> bool {
        !self.guest.has_session() && (self.written == self.out.len() || self.carrier.outlet().is_none())
    }

    /// Takes a new connection, by which an earlier session is over.
    pub fn accept(&mut self) -> Option<Happened> {
        if self.carrier.accept() { self.forget(None) } else { None }
    }

    /// Reads once, and gives how many bytes that were. The session may be over by that.
    pub fn read(&mut self, buffer: &mut [u8]) -> (usize, Option<Happened>) {
        let Some(stream) = self.carrier.stream() else { return (0, None) };
        match stream.read(buffer) {
            Ok(count) if count > 0 => (count, None),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => (0, None),
            // The host has closed its end.
            Ok(_) | Err(_) => (0, self.hang_up(None)),
        }
    }

    /// Takes bytes that were read, up to what is to be dealt with next; `None` when all are taken.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Happened> {
        let is_connection = self.carrier.kind() == Kind::Connection;
        match self.guest.receive(bytes) {
            Ok(Some(GuestEvent::Closed)) => {
                if is_connection {
                    self.after = After::HangUp;
                    *bytes = &[];
                }
                Some(Happened::Over(None))
            }
            Ok(event) => event.map(Happened::Said),
            // On a port this is also how the next session begins.
            Err(violation) => {
                (self.out, self.written) = (Vec::new(), 0);
                if is_connection {
                    self.hang_up(None);
                    *bytes = &[];
                }
                Some(Happened::Over(Some(violation.to_string())))
            }
        }
    }

    /// Writes as much as goes without waiting. The session may be over by that.
    pub fn transmit(&mut self) -> Option<Happened> {
        loop {
            if self.written == self.out.len() {
                self.out.clear();
                self.written = 0;
                self.guest.transmit(&mut self.out, CHUNK);
                if self.out.is_empty() {
                    return if self.after == After::HangUp { self.hang_up(None) } else { None };
                }
            }
            let stream = self.carrier.stream()?;
            let (_, rest) = self.out.split_at(self.written);
            match stream.write(rest) {
                Ok(count) => {
                    self.written += count;
                    self.progress += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.hang_up(Some(format!("the carrier takes nothing more: {error}"))),
            }
        }
    }

    /// Closes the stream. A listener waits for the next.
    fn hang_up(&mut self, why: Option<String>) -> Option<Happened> {
        self.carrier.hang_up();
        self.forget(why)
    }

    /// Has a session begin anew.
    fn forget(&mut self, why: Option<String>) -> Option<Happened> {
        let had_session = self.guest.has_session();
        self.guest = guest(self.carrier.kind());
        (self.out, self.written, self.after) = (Vec::new(), 0, After::GoOn);
        had_session.then_some(Happened::Over(why))
    }
}

fn guest(carrier: Kind) -> Guest {
    Guest::new(GuestOptions { carrier, window: WINDOW })
}
