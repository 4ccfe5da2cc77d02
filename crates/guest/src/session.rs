//! A guest at work, as whoever started it follows it.

use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nex_protocol::{Decoder, Item};
use nex_vmm::{Ending, Guest, Interrupt, Machine, Reading};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::agent_channel::{self, AgentChannel, Way};
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
    /// Whether the console's last line has no end yet.
    is_in_line: bool,
    stages: Stages,
    started: Instant,
    /// When the guest has last given a sign.
    sign: Instant,
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
    /// When the VMM does not run it, or the interrupt comes before it does.
    pub fn start(choice: Choice, machine: Machine, interrupt: Interrupt<'_>) -> Result<Self, Error> {
        let started = Instant::now();
        let (choice, guest) = start(choice, &machine, interrupt)?;
        Ok(Self {
            choice,
            machine,
            guest,
            decoder: Decoder::new(),
            channel: AgentChannel::default(),
            way: None,
            is_in_line: false,
            stages: Stages::default(),
            started,
            sign: Instant::now(),
        })
    }

    /// Waits for the next thing to happen. The wakers are files that somebody else writes to, such as a terminal.
    ///
    /// # Errors
    /// When the system fails to wait or read, the VMM closes the console and does not end, the host has no room for what the guest
    /// writes, or KVM has failed and there is no VMM without it.
    pub fn step(&mut self, wakers: &[BorrowedFd<'_>], deadline: Instant) -> Result<Step, Error> {
        let trial = self.is_on_trial().then(|| self.sign + TRIAL).filter(|trial| *trial < deadline);
        let ready = {
            let console = self.guest.console();
            let mut files: Vec<PollFd<'_>> = wakers.iter().map(|waker| PollFd::new(waker, PollFlags::IN)).collect();
            let channel: Vec<BorrowedFd<'_>> = self.channel.files(&self.guest).collect();
            files.push(PollFd::new(&console, PollFlags::IN));
            let events = self.guest.events();
            files.extend(channel.iter().chain(&events).map(|file| PollFd::new(file, PollFlags::IN)));
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
        self.guest = self.choice.vmm.start(&agent_channel::with_port(&*self.choice.vmm, &self.machine))?;
        (self.started, self.sign) = (started, Instant::now());
        (self.decoder, self.stages) = (Decoder::new(), Stages::default());
        (self.channel, self.way, self.is_in_line) = (AgentChannel::default(), None, false);
        Ok(Step::Restarted)
    }

    /// The guest itself.
    pub fn guest(&mut self) -> &mut Guest {
        &mut self.guest
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
        self.choice.vmm.command_line(&agent_channel::with_port(&*self.choice.vmm, &self.machine))
    }
}

/// Starts a guest, without KVM where a VMM refuses to use it.
fn start(mut choice: Choice, machine: &Machine, interrupt: Interrupt<'_>) -> Result<(Choice, Guest), Error> {
    match choice.vmm.start_unless(&agent_channel::with_port(&*choice.vmm, machine), interrupt) {
        Ok(guest) => Ok((choice, guest)),
        Err(error) if choice.may_fall_back() && !interrupt.has_come() => {
            choice.fall_back(&nex_fault::whole(&error), machine.architecture)?;
            let guest = choice.vmm.start_unless(&agent_channel::with_port(&*choice.vmm, machine), interrupt)?;
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
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    use nex_protocol::{Encoder, Event, Ready, Role, Text};
    use nex_testkit::guest::Parts;
    use nex_testkit::{Failure, firecracker};
    use nex_vmm::{Accelerator, Architecture, Firecracker, Qemu};

    use super::*;

    /// What a session gives until this is in its console.
    fn step_until(session: &mut Session, text: &str) -> nex_testkit::Result<(String, Vec<Item>)> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let (mut console, mut all) = (String::new(), Vec::new());
        while !console.contains(text) {
            match session.step(&[], deadline)? {
                Step::Console { bytes, items } => {
                    console.push_str(&String::from_utf8_lossy(&bytes));
                    all.extend(items);
                }
                step => return Err(Failure::new(format!("{step:?} without {text:?}: {console}"))),
            }
        }
        Ok((console, all))
    }

    #[test]
    fn the_first_connection_is_the_agents_and_all_others_are_closed() -> nex_testkit::Result<()> {
        let Some(parts) = Parts::find()? else { return Ok(()) };
        let mut choice = on_trial()?;
        choice.vmm = Box::new(Firecracker::at(firecracker::double()?)?.with_vsock(&[agent_channel::PORT]));
        choice.proved();
        let mut session = Session::start(choice, standing_still(parts.kernel), Interrupt::never())?;
        assert!(session.command_line().contains(" nex.vsock=1024 loglevel=0 "), "{}", session.command_line());
        // The socket to which Firecracker connects for its guest, by the name that it has for it.
        let open = std::fs::read_dir(format!("/proc/{}/fd", session.guest().id()))?.flatten();
        let mut names = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let directory = names.find(|name| name.join("vsock_1024").exists());
        let socket = directory.ok_or_else(|| Failure::new("no sockets"))?.join("vsock_1024");

        let mut agent = UnixStream::connect(&socket)?;
        let (mut lines, mut encoder) = (Vec::new(), Encoder::new());
        let ready = Ready { version: "1".into(), role: Role::Init, start_ms: 1, uptime_ms: 2 };
        encoder.encode(&Event::Ready(ready.clone()), &mut lines);
        agent.write_all(&lines)?;
        let (console, items) = step_until(&mut session, "@nex1 ready ")?;
        assert!(console.ends_with("\r\n"), "{console:?}");
        assert!(items.contains(&Item::Event(Event::Ready(ready))), "{items:?}");
        assert_eq!((session.way(), session.stages().ready.is_some()), (Some(Way::Vsock), true));

        // Others may connect as often as they like: nobody hears them, and they learn it.
        for _ in 0..50 {
            let mut other = UnixStream::connect(&socket)?;
            other.write_all(b"@nex1 note 3 from another\n")?;
            let deadline = Instant::now() + Duration::from_secs(60);
            other.set_nonblocking(true)?;
            while other.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                session.step(&[], Instant::now() + Duration::from_millis(10))?;
                assert!(Instant::now() < deadline, "the connection stays");
            }
        }
        lines.clear();
        encoder.encode(&Event::Note(Text { uptime_ms: 3, text: b"still here".to_vec() }), &mut lines);
        agent.write_all(&lines)?;
        let (console, _) = step_until(&mut session, "still here")?;
        assert!(!console.contains("another"), "{console}");
        Ok(())
    }

    /// A guest whose kernel waits for ever, and says nothing.
    fn standing_still(kernel: PathBuf) -> Machine {
        Machine {
            architecture: Architecture::X86_64,
            kernel,
            max_kernel: nex_kernel::MAX_KERNEL,
            initramfs: None,
            command_line: "loglevel=0 root=/dev/none rootwait".into(),
            drives: Vec::new(),
            memory_mib: 256,
            vcpus: 1,
            channel: None,
        }
    }

    /// QEMU, as if KVM were on trial in it.
    fn on_trial() -> Result<Choice, Error> {
        Ok(Choice::on_trial(Box::new(Qemu::find(Architecture::X86_64, Accelerator::Emulation)?)))
    }

    #[test]
    #[ignore = "slow: waits until a guest has stood still for long enough"]
    fn a_guest_that_stands_still_is_started_again_without_kvm() -> nex_testkit::Result<()> {
        let Some(parts) = Parts::find()? else { return Ok(()) };
        let mut session = Session::start(on_trial()?, standing_still(parts.kernel), Interrupt::never())?;
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
