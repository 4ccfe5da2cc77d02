//! The host's end of a guest's channel, from the guest's start until it is taken.
//!
//! QEMU's is open at once. Firecracker's is opened again and again until the agent listens, at most one connection at a time; nobody
//! waits for any of them.

use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nex_vmm::{ChannelOpening, Dial, Guest, Machine};

/// The pause between two attempts, which grows twofold each time: an agent listens some milliseconds after its first words, and a guest
/// without one never does.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);

/// The host's end of one guest's channel.
#[derive(Debug)]
pub struct Carrier {
    state: State,
    pause: Duration,
}

#[derive(Debug)]
enum State {
    /// The guest has none, or it was taken.
    Over,
    /// The next attempt is made then.
    Closed(Instant),
    /// The VMM has been asked.
    Asked(Dial),
    Open(UnixStream),
}

impl Carrier {
    /// That of a guest that has just been started.
    pub fn of(machine: &Machine) -> Self {
        let state = machine.channel.as_ref().map_or(State::Over, |_| State::Closed(Instant::now()));
        Self { state, pause: SHORTEST }
    }

    /// Readable when [`Self::advance`] has something to do.
    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Asked(dial) => Some(dial.as_fd()),
            State::Over | State::Closed(_) | State::Open(_) => None,
        }
    }

    /// When it has something to do at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Closed(next) => Some(*next),
            State::Asked(dial) => Some(dial.deadline()),
            State::Over | State::Open(_) => None,
        }
    }

    /// Does what can be done without waiting.
    pub fn advance(&mut self, guest: &mut Guest) {
        let now = Instant::now();
        let opening = match mem::replace(&mut self.state, State::Over) {
            State::Closed(next) if next <= now => guest.open_channel(),
            State::Asked(dial) => dial.look(),
            state => {
                self.state = state;
                return;
            }
        };
        self.state = match opening {
            Ok(ChannelOpening::Open(stream)) => State::Open(stream),
            Ok(ChannelOpening::Asked(dial)) => State::Asked(dial),
            // Whatever a VMM or a guest answers: it may come to listen, and another attempt costs little.
            Err(_) => {
                let next = now + self.pause;
                self.pause = (self.pause * 2).min(LONGEST);
                State::Closed(next)
            }
        };
    }

    /// The agent has spoken: it listens soon.
    pub fn hurry(&mut self) {
        self.pause = SHORTEST;
        if let State::Closed(next) = &mut self.state {
            *next = (*next).min(Instant::now() + SHORTEST);
        }
    }

    /// The open channel, on which no call waits. It is given once.
    pub fn take(&mut self, guest: &mut Guest) -> Option<UnixStream> {
        self.advance(guest);
        match mem::replace(&mut self.state, State::Over) {
            State::Open(stream) => Some(stream),
            state => {
                self.state = state;
                None
            }
        }
    }
}
