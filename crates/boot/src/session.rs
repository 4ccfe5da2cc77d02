//! A guest at work, as whoever started it follows it.

use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nex_protocol::{Decoder, Item};
use nex_vmm::{Ending, Guest, Machine, Reading};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::choice::Choice;
use crate::error::Error;
use crate::stages::Stages;

/// The most that is read of the console at once.
const CHUNK: usize = 16 << 10;
/// How long a VMM may take to end once its guest's console is closed.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How long a guest may be silent on its way to its first process while KVM has yet to prove that it works. It takes a
/// second.
const TRIAL: Duration = Duration::from_secs(10);

/// A guest that was started, and the agent's words in its console.
///
/// Where KVM has yet to prove that it runs guests, and does not, the guest is started again without it.
pub struct Session {
    choice: Choice,
    machine: Machine,
    guest: Guest,
    decoder: Decoder,
    stages: Stages,
    started: Instant,
    /// When the guest has last given a sign.
    sign: Instant,
}

/// What happens next.
#[derive(Debug)]
pub enum Step {
    /// The guest has written to its console.
    Console {
        /// All of it.
        bytes: Vec<u8>,
        /// What of it is complete: the agent's events, and lines of others.
        items: Vec<Item>,
    },
    /// There is something to read from the one of the wakers with this index, or it is closed.
    Woken(usize),
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
    /// When the VMM does not run it.
    pub fn start(choice: Choice, machine: Machine) -> Result<Self, Error> {
        let started = Instant::now();
        let (choice, guest) = start(choice, &machine)?;
        let (decoder, stages) = (Decoder::new(), Stages::default());
        Ok(Self { choice, machine, guest, decoder, stages, started, sign: Instant::now() })
    }

    /// Waits for the next thing to happen. The wakers are files that somebody else writes to, such as a terminal.
    ///
    /// # Errors
    /// When the system fails to wait or read, the VMM closes the console and does not end, or KVM has failed and there is
    /// no VMM without it.
    pub fn step(&mut self, wakers: &[BorrowedFd<'_>], deadline: Instant) -> Result<Step, Error> {
        let trial = self.is_on_trial().then(|| self.sign + TRIAL).filter(|trial| *trial < deadline);
        let ready = {
            let console = self.guest.console();
            let mut files: Vec<PollFd<'_>> = wakers.iter().map(|waker| PollFd::new(waker, PollFlags::IN)).collect();
            files.push(PollFd::new(&console, PollFlags::IN));
            wait(&mut files, trial.unwrap_or(deadline)).map_err(Error::Follow)?
        };
        match ready {
            None if trial.is_some() => self.restart(&format!("a guest stood still for {} s", TRIAL.as_secs())),
            None => Ok(Step::Deadline),
            Some(index) if index < wakers.len() => Ok(Step::Woken(index)),
            Some(_) => self.read(),
        }
    }

    fn read(&mut self) -> Result<Step, Error> {
        let mut buffer = vec![0; CHUNK];
        self.sign = Instant::now();
        match self.guest.read_console(&mut buffer, Instant::now()).map_err(Error::Follow)? {
            Reading::Nothing => Ok(Step::Console { bytes: Vec::new(), items: Vec::new() }),
            Reading::Bytes(count) => {
                buffer.truncate(count);
                let items = self.decoder.push(&buffer);
                self.note(&items);
                Ok(Step::Console { bytes: buffer, items })
            }
            Reading::Closed => {
                let items = mem::take(&mut self.decoder).finish();
                self.note(&items);
                let ended = self.guest.wait(Instant::now() + LAST_WORDS).map_err(Error::Follow)?;
                let still_there = || io::Error::other("the console is closed, and the VMM does not end");
                let (status, ending) = ended.ok_or_else(|| Error::Follow(still_there()))?;
                if !status.success() && self.is_on_trial() {
                    let said = self.guest.said();
                    return self.restart(&format!("the VMM failed: {said}"));
                }
                Ok(Step::Ended { items, status, ending })
            }
        }
    }

    fn note(&mut self, items: &[Item]) {
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
        self.guest = self.choice.vmm.start(&self.machine)?;
        (self.started, self.sign) = (started, Instant::now());
        (self.decoder, self.stages) = (Decoder::new(), Stages::default());
        Ok(Step::Restarted)
    }

    /// The guest itself.
    pub fn guest(&mut self) -> &mut Guest {
        &mut self.guest
    }

    /// How long ago it was started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How far it has come.
    pub fn stages(&self) -> &Stages {
        &self.stages
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
        self.choice.vmm.command_line(&self.machine)
    }
}

/// Starts a guest, without KVM where a VMM refuses to use it.
fn start(mut choice: Choice, machine: &Machine) -> Result<(Choice, Guest), Error> {
    match choice.vmm.start(machine) {
        Ok(guest) => Ok((choice, guest)),
        Err(error) if choice.may_fall_back() => {
            choice.fall_back(&error.to_string(), machine.architecture)?;
            let guest = choice.vmm.start(machine)?;
            Ok((choice, guest))
        }
        Err(error) => Err(error.into()),
    }
}

/// The first of the files that has something; `None` at the deadline.
fn wait(files: &mut [PollFd<'_>], deadline: Instant) -> io::Result<Option<usize>> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match rustix::event::poll(files, Some(&timeout)) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(files.iter().position(|file| !file.revents().is_empty())),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use nex_testkit::guest::Parts;
    use nex_vmm::{Accelerator, Architecture, Qemu};

    use super::*;

    /// QEMU, as if KVM were on trial in it.
    fn on_trial() -> Result<Choice, Error> {
        Ok(Choice::on_trial(Box::new(Qemu::find(Architecture::X86_64, Accelerator::Emulation)?)))
    }

    #[test]
    #[ignore = "slow: waits until a guest has stood still for long enough"]
    fn a_guest_that_stands_still_is_started_again_without_kvm() -> nex_testkit::Result<()> {
        let Some(parts) = Parts::find()? else { return Ok(()) };
        let machine = Machine {
            architecture: Architecture::X86_64,
            kernel: parts.kernel,
            initramfs: None,
            // The kernel waits for ever, and says nothing.
            command_line: "loglevel=0 root=/dev/none rootwait".into(),
            drives: Vec::new(),
            memory_mib: 256,
            vcpus: 1,
        };
        let mut session = Session::start(on_trial()?, machine)?;
        let first = session.guest().id();
        let deadline = Instant::now() + 4 * TRIAL;
        let restarted = loop {
            match session.step(&[], deadline)? {
                Step::Restarted => break true,
                Step::Console { .. } => {}
                _ => break false,
            }
        };
        assert!(restarted);
        assert_eq!(session.choice().accelerator, Accelerator::Emulation);
        assert!(session.choice().why.contains("stood still"), "{}", session.choice().why);
        assert_ne!(session.guest().id(), first);
        // Nothing is on trial any more: it may stand still.
        let later = Instant::now() + TRIAL + Duration::from_secs(2);
        while let Step::Console { .. } = session.step(&[], later)? {}
        assert!(Instant::now() >= later);
        Ok(())
    }
}
