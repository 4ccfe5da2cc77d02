//! A guest at work, as whoever started it follows it.

mod waker;

use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nex_protocol::{Decoder, Item};
use nex_vmm::{Ending, Guest, Interrupt, Machine, Reading};
use rustix::event::{PollFd, PollFlags};

use crate::agent_channel::{AgentChannel, Way};
use crate::agent_words::with_words;
use crate::carrier::Carrier;
use crate::choice::Choice;
use crate::error::Error;
use crate::stages::Stages;

pub use waker::{Hearing, Interest, Waker, wait_for};

/// The most that is read of the console at once.
const CHUNK: usize = 16 << 10;
/// How long a VMM may take to end once its guest's console is closed.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How long a guest may be silent on its way to its first process while KVM has yet to prove that it works. It takes a
/// second.
const TRIAL: Duration = Duration::from_secs(10);

/// A guest that was started, and the agent's words: by vsock where the guest has one, else in its console.
///
/// Where KVM has yet to prove that it runs guests, and does not, the guest is started again without it.
pub struct Session {
    choice: Choice,
    machine: Machine,
    guest: Guest,
    decoder: Decoder,
    channel: AgentChannel,
    /// Over what the agent has spoken last.
    way: Option<Way>,
    carrier: Carrier,
    /// Whether the console's last line has no end yet.
    is_in_line: bool,
    stages: Stages,
    started: Instant,
    /// When the guest has last given a sign.
    sign: Instant,
    hearing: Hearing,
    /// Who comes first where a waker and the guest both have something.
    turn: Turn,
}

/// Whose turn it is. Neither a guest nor others that have always something keep the rest waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Wakers,
    Guest,
}

/// What happens next.
#[derive(Debug)]
pub enum Step {
    /// The guest has written to its console, or the agent by vsock.
    Console {
        /// All of it; the agent's lines stand between those of the console.
        bytes: Vec<u8>,
        /// What of it is complete: the agent's events, and lines of others.
        items: Vec<Item>,
    },
    /// The wakers with these indices have what was waited for, or are closed.
    Woken(Vec<usize>),
    /// Nothing has happened until the deadline.
    Deadline,
    /// KVM has failed: another guest was started without it, and what the first one wrote counts no more.
    Restarted,
    /// The guest has ended.
    Ended {
        /// What was left in the console's last line.
        items: Vec<Item>,
        /// How the VMM's process ended: with another code than 0 when it failed itself.
        status: ExitStatus,
        /// How the guest ended.
        ending: Ending,
    },
}

impl Session {
    /// Starts a guest.
    ///
    /// # Errors
    /// When the VMM does not run it, or the interrupt comes before it does.
    pub fn start(choice: Choice, machine: Machine, interrupt: Interrupt<'_>) -> Result<Self, Error> {
        let started = Instant::now();
        let (choice, guest) = start(choice, &machine, interrupt)?;
        let carrier = Carrier::of(&machine);
        Ok(Self {
            choice,
            machine,
            guest,
            decoder: Decoder::new(),
            channel: AgentChannel::default(),
            way: None,
            carrier,
            is_in_line: false,
            stages: Stages::default(),
            started,
            sign: Instant::now(),
            hearing: Hearing::default(),
            turn: Turn::Wakers,
        })
    }

    /// Says whether the guest is heard from now on. One that is not heard is not seen to end, either.
    pub fn hear(&mut self, hearing: Hearing) {
        if hearing != self.hearing {
            // A guest that was held gave no sign because nobody listened.
            self.sign = Instant::now();
        }
        self.hearing = hearing;
    }

    /// Waits for the next thing to happen. The wakers are files that somebody else has the other end of, such as a terminal.
    ///
    /// # Errors
    /// When the system fails to wait or read, the VMM closes the console and does not end, the host has no room for what the guest
    /// writes, or KVM has failed and there is no VMM without it.
    pub fn step(&mut self, wakers: &[Waker<'_>], deadline: Instant) -> Result<Step, Error> {
        let is_heard = self.hearing == Hearing::Listens;
        let trial = (is_heard && self.is_on_trial()).then(|| self.sign + TRIAL).filter(|trial| *trial < deadline);
        let until = trial.unwrap_or(deadline);
        let attempt = self.carrier.deadline().filter(|attempt| *attempt < until);
        let (is_ready, woken, has_guest) = {
            let console = self.guest.console();
            let others: Vec<BorrowedFd<'_>> = self.channel.files(&self.guest).collect();
            let events = self.guest.events();
            let guests = [console].into_iter().chain(others).chain(events).filter(|_| is_heard);
            let guests: Vec<BorrowedFd<'_>> = guests.chain(self.carrier.file()).collect();
            let mut files: Vec<PollFd<'_>> =
                wakers.iter().map(|waker| PollFd::new(&waker.file, waker.flags())).collect();
            files.extend(guests.iter().map(|file| PollFd::new(file, PollFlags::IN)));
            let is_ready = waker::wait(&mut files, attempt.unwrap_or(until)).map_err(Error::Follow)?;
            let (of_wakers, of_guest) = files.split_at(wakers.len());
            (is_ready, waker::ready(of_wakers), !waker::ready(of_guest).is_empty())
        };
        self.carrier.advance(&mut self.guest);
        if !is_ready {
            return match (attempt, trial) {
                (Some(_), _) => Ok(Step::Console { bytes: Vec::new(), items: Vec::new() }),
                (None, Some(_)) => self.restart(&format!("a guest stood still for {} s", TRIAL.as_secs())),
                (None, None) => Ok(Step::Deadline),
            };
        }
        if !woken.is_empty() && (!has_guest || self.turn == Turn::Wakers) {
            self.turn = Turn::Guest;
            return Ok(Step::Woken(woken));
        }
        self.turn = Turn::Wakers;
        if is_heard { self.read() } else { Ok(Step::Console { bytes: Vec::new(), items: Vec::new() }) }
    }

    fn read(&mut self) -> Result<Step, Error> {
        let mut buffer = vec![0; CHUNK];
        self.sign = Instant::now();
        if let Some(place) = self.guest.no_room() {
            return Err(Error::NoRoom(place));
        }
        match self.guest.read_console(&mut buffer, Instant::now()).map_err(Error::Follow)? {
            Reading::Nothing => self.receive(Vec::new()),
            Reading::Bytes(count) => {
                buffer.truncate(count);
                self.receive(buffer)
            }
            Reading::Closed => {
                let ended = self.guest.wait(Instant::now() + LAST_WORDS).map_err(Error::Follow)?;
                let still_there = || io::Error::other("the console is closed, and the VMM does not end");
                let (status, ending) = ended.ok_or_else(|| Error::Follow(still_there()))?;
                if !status.success() && self.is_on_trial() {
                    let said = self.guest.said();
                    return self.restart(&format!("the VMM failed: {said}"));
                }
                // The VMM writes no more, but what it has written may still be there.
                match self.receive(Vec::new())? {
                    Step::Console { bytes, items } if bytes.is_empty() && items.is_empty() => {
                        let items = mem::take(&mut self.decoder).finish();
                        self.note(&items, Way::Console);
                        Ok(Step::Ended { items, status, ending })
                    }
                    step => Ok(step),
                }
            }
        }
    }

    /// Adds what has come by vsock to what the console held.
    fn receive(&mut self, mut bytes: Vec<u8>) -> Result<Step, Error> {
        let mut items = self.decoder.push(&bytes);
        self.note(&items, Way::Console);
        self.is_in_line = bytes.last().map_or(self.is_in_line, |last| *last != b'\n');
        let received = self.channel.take(&self.guest).map_err(Error::Follow)?;
        self.note(&received.items, Way::Vsock);
        items.extend(received.items);
        if !received.lines.is_empty() {
            // As a terminal has them, which nothing but the console's bytes has come through.
            let start: &[u8] = if mem::take(&mut self.is_in_line) { b"\r\n" } else { b"" };
            bytes.extend_from_slice(start);
            for line in received.lines.split_inclusive(|byte| *byte == b'\n') {
                bytes.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
                bytes.extend_from_slice(b"\r\n");
            }
        }
        Ok(Step::Console { bytes, items })
    }

    fn note(&mut self, items: &[Item], way: Way) {
        if items.iter().any(|item| matches!(item, Item::Event(_))) {
            self.way = Some(way);
            self.carrier.hurry();
        }
        self.stages.note(items, self.started.elapsed());
        if self.stages.init.is_some() {
            self.choice.proved();
        }
    }

    /// Whether KVM may still turn out to fail, and there is another way.
    fn is_on_trial(&self) -> bool {
        self.choice.may_fall_back()
    }

    fn restart(&mut self, why: &str) -> Result<Step, Error> {
        self.choice.fall_back(why, self.machine.architecture)?;
        self.guest.kill();
        let started = Instant::now();
        self.guest = self.choice.vmm.start(&with_words(&*self.choice.vmm, &self.machine))?;
        (self.started, self.sign) = (started, Instant::now());
        (self.decoder, self.stages) = (Decoder::new(), Stages::default());
        (self.channel, self.way, self.is_in_line) = (AgentChannel::default(), None, false);
        self.carrier = Carrier::of(&self.machine);
        Ok(Step::Restarted)
    }

    /// The guest itself.
    pub fn guest(&mut self) -> &mut Guest {
        &mut self.guest
    }

    /// The host's end of the guest's channel, once it is open; it is given once a guest. No call on it waits. With a guest of QEMU it is open
    /// from the start, with one of Firecracker while [`step`](Self::step) is called, once the agent listens.
    ///
    /// What comes from it is the guest's word, and its end may be anybody's in the guest. After [`Step::Restarted`] it is another one.
    pub fn take_channel(&mut self) -> Option<UnixStream> {
        self.carrier.take(&mut self.guest)
    }

    /// Ends the guest, and removes what stands on the disk for it. What stays is among the notes.
    pub fn clear(&mut self) {
        self.guest.clear();
    }

    /// What there is to know about how the VMM runs it.
    pub fn notes(&self) -> &[String] {
        self.guest.notes()
    }

    /// How long ago it was started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How far it has come.
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Over what the agent has spoken last, if it has.
    pub fn way(&self) -> Option<Way> {
        self.way
    }

    /// Who runs it.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// What it is made of.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// All of its kernel's command line.
    pub fn command_line(&self) -> String {
        self.choice.vmm.command_line(&with_words(&*self.choice.vmm, &self.machine))
    }
}

/// Starts a guest, without KVM where a VMM refuses to use it.
fn start(mut choice: Choice, machine: &Machine, interrupt: Interrupt<'_>) -> Result<(Choice, Guest), Error> {
    match choice.vmm.start_unless(&with_words(&*choice.vmm, machine), interrupt) {
        Ok(guest) => Ok((choice, guest)),
        Err(error) if choice.may_fall_back() && !interrupt.has_come() => {
            choice.fall_back(&nex_fault::whole(&error), machine.architecture)?;
            let guest = choice.vmm.start_unless(&with_words(&*choice.vmm, machine), interrupt)?;
            Ok((choice, guest))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
