//! The one place where the agent waits: for signals, for output, for ended programs, for the way to the host.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nex_contract::Unstarted;
use nex_protocol::{Ended, Source, Stream};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus, wait};

use crate::frame::Framer;
use crate::host::Host;
use crate::signals::Signals;
use crate::spawn::Job;

/// How much of a program's output is read at once: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// How often to look for what signals would tell, where there are none.
const WITHOUT_SIGNALS: Duration = Duration::from_secs(1);

/// The agent's programs, and everything that wakes it up.
pub struct Supervisor {
    /// The way to the host.
    pub host: Host,
    signals: Option<Signals>,
    pipes: Vec<Pipe>,
    program: Option<Program>,
    has_children: bool,
}

/// One stream of a program's output. Others who inherited it may write to it after the program's end.
struct Pipe {
    file: File,
    framer: Framer,
    ended: bool,
}

/// The program that runs, or whose end is not told yet.
struct Program {
    source: Source,
    pid: Pid,
    stop_signal: i32,
    end: Option<Ended>,
}

impl Program {
    /// Sends a signal to the program and the processes of its group.
    #[allow(unsafe_code, reason = "real-time signals have no safe name")]
    fn signal(&self, number: i32) {
        // SAFETY: the call takes two numbers and touches no memory.
        let _ = unsafe { nix::libc::killpg(self.pid.as_raw_nonzero().get(), number) };
    }
}

impl Supervisor {
    /// A supervisor of nothing yet. Without signals it still reaps, and looks now and then.
    pub fn new(mut host: Host, signals: nix::Result<Signals>) -> Self {
        let signals = match signals {
            Ok(signals) => Some(signals),
            Err(error) => {
                host.fail(format!("cannot wait for signals: {error}; end the machine from outside"));
                None
            }
        };
        Self { host, signals, pipes: Vec::new(), program: None, has_children: false }
    }

    /// Starts a program. One runs at a time.
    ///
    /// # Errors
    /// When it does not run.
    pub fn start(&mut self, job: &Job) -> Result<(), Unstarted> {
        let spawned = job.spawn()?;
        self.program = Some(Program { source: job.source, pid: spawned.pid, stop_signal: job.stop_signal, end: None });
        self.has_children = true;
        let output = spawned.output.map(|(out, err)| [(Stream::Out, out), (Stream::Err, err)]);
        for (stream, descriptor) in output.into_iter().flatten() {
            match Pipe::new(descriptor, job.source, stream) {
                Ok(pipe) => self.pipes.push(pipe),
                Err(error) => self.host.fail(format!("cannot read the program's output: {error}")),
            }
        }
        Ok(())
    }

    /// Which program ended, and how, once everything that it wrote is told. It is given once.
    pub fn take_end(&mut self) -> Option<(Source, Ended)> {
        let program = self.program.as_ref()?;
        let (source, end) = (program.source, program.end?);
        if self.pipes.iter().any(|pipe| !pipe.ended) {
            return None;
        }
        self.program = None;
        Some((source, end))
    }

    /// Whether a program runs.
    pub fn is_running(&self) -> bool {
        self.program.as_ref().is_some_and(|program| program.end.is_none())
    }

    /// Whether this process has children, as far as it has looked.
    pub fn has_children(&self) -> bool {
        self.has_children
    }

    /// Asks the program to end, in the way that its image wants.
    pub fn ask_program_to_end(&self) {
        if let Some(program) = self.program.as_ref().filter(|_| self.is_running()) {
            program.signal(program.stop_signal);
        }
    }

    /// Kills the program and the processes of its group.
    pub fn kill_program(&self) {
        if let Some(program) = self.program.as_ref().filter(|_| self.is_running()) {
            program.signal(Signal::SIGKILL as i32);
        }
    }

    /// Waits until something happens, but not past the deadline, and deals with it. Gives the signal that asks for an end.
    pub fn step(&mut self, deadline: Option<Instant>) -> Option<Signal> {
        self.wait(deadline);
        let asked = self.signals.as_ref().and_then(Signals::asked_to_end);
        self.reap();
        self.host.write();
        self.read_output();
        asked
    }

    /// Steps until the condition holds or the time is over. Returns whether it holds.
    pub fn wait_until(&mut self, patience: Duration, mut holds: impl FnMut(&mut Self) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            if holds(self) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            self.step(Some(deadline));
        }
    }

    /// Reads and tells what the programs have left behind, as long as the host reads something within the patience.
    pub fn tell_the_rest(&mut self, patience: Duration) {
        let (mut seen, mut deadline) = (self.host.progress(), Instant::now() + patience);
        while !self.pipes.iter().all(|pipe| pipe.ended) && Instant::now() < deadline {
            self.step(Some(deadline));
            if self.host.progress() != seen {
                (seen, deadline) = (self.host.progress(), Instant::now() + patience);
            }
        }
    }

    fn wait(&self, deadline: Option<Instant>) {
        let mut descriptors = Vec::new();
        descriptors.extend(self.signals.as_ref().map(|signals| PollFd::new(signals.as_fd(), PollFlags::POLLIN)));
        descriptors.extend(self.host.waits_for().map(|host| PollFd::new(host, PollFlags::POLLOUT)));
        if self.host.has_room() {
            let open = self.pipes.iter().map(|pipe| PollFd::new(pipe.file.as_fd(), PollFlags::POLLIN));
            descriptors.extend(open);
        }
        let parts = self.pipes.iter().filter_map(|pipe| pipe.framer.deadline());
        let blind = self.signals.is_none().then(|| Instant::now() + WITHOUT_SIGNALS);
        let until = parts.chain(deadline).chain(blind).min();
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            // A millisecond more: poll counts in whole ones, and must not wake up too early again and again.
            let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        // Interrupted or not: all descriptors are looked at, and none of them makes its reader wait.
        let _ = poll(&mut descriptors, timeout);
    }

    /// Takes the exit status of every child that has ended. Signals merge, so one of them may stand for many children.
    fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(None) => {
                    self.has_children = true;
                    return;
                }
                Ok(Some((pid, status))) => {
                    if let Some(program) = self.program.as_mut().filter(|program| program.pid == pid) {
                        program.end = Some(ended(status));
                    }
                }
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.has_children = false;
                    return;
                }
            }
        }
    }

    /// Reads what has been written, as long as the host takes it.
    fn read_output(&mut self) {
        let Self { host, pipes, program, .. } = self;
        let is_over = program.as_ref().is_none_or(|program| program.end.is_some());
        let mut buffer = vec![0; CHUNK];
        pipes.retain_mut(|pipe| {
            pipe.ended = false;
            while host.has_room() {
                match pipe.file.read(&mut buffer) {
                    Ok(0) => {
                        pipe.framer.flush(|event| host.tell(event));
                        return false;
                    }
                    Ok(count) => pipe.framer.push(&buffer[..count], |event| host.tell(event)),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        // What the program itself has written is all here once it has ended.
                        pipe.ended = is_over;
                        break;
                    }
                    Err(error) => {
                        pipe.framer.flush(|event| host.tell(event));
                        host.fail(format!("cannot read the program's output: {error}"));
                        return false;
                    }
                }
            }
            if pipe.ended || pipe.framer.deadline().is_some_and(|deadline| Instant::now() >= deadline) {
                pipe.framer.flush(|event| host.tell(event));
            }
            true
        });
    }
}

/// How a program ended.
fn ended(status: WaitStatus) -> Ended {
    match status.terminating_signal() {
        Some(signal) => Ended::Signal(signal as u8),
        None => Ended::Code(status.exit_status().unwrap_or(0) as u8),
    }
}

impl Pipe {
    fn new(descriptor: OwnedFd, source: Source, stream: Stream) -> nix::Result<Self> {
        // The agent's end alone: the two ends of a pipe are separate descriptions.
        fcntl(&descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { file: descriptor.into(), framer: Framer::new(source, stream), ended: false })
    }
}
