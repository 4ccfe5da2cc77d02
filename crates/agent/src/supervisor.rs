//! The one place where the agent waits: for signals, for output, for ended programs, for the way to the host.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nex_contract::Unstarted;
use nex_protocol::{Ended, Source, Stream};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use rustix::io::Errno;
use rustix::process::{WaitOptions, wait};

use crate::channel::Channel;
use crate::host::{Host, MOST_LAST_WORDS};
use crate::pipe::{Pipe, Rest};
use crate::process::{Children, Process};
use crate::signals::Signals;
use crate::spawn::{Job, OtherEnds};
use crate::tree::Tree;

/// How much of a program's output is read at once: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// How often to look for what signals would tell, where there are none.
const WITHOUT_SIGNALS: Duration = Duration::from_secs(1);

/// How long to wait until a program is executed. One that takes longer counts as started: a process of its user may have stopped it.
const BEGINNING: Duration = Duration::from_secs(1);

/// How long a host may take to attach to the workload's streams: at the start, and for what a program that has ended has left in them.
pub const ATTACH_PATIENCE: Duration = Duration::from_secs(30);

/// What asks this process to end, and says that children have.
pub enum Asks {
    /// Signals.
    Signals(Signals),
    /// Nothing, as the kernel gives no signals out. What children do is seen now and then.
    Nothing,
    /// A descriptor that becomes readable, until it has: this is somebody else's process.
    Descriptor(Option<OwnedFd>),
}

/// The agent's programs, and everything that wakes it up.
pub struct Supervisor {
    /// The way to the host.
    pub host: Host,
    /// The channel to the host, where there is one.
    pub channel: Option<Channel>,
    asks: Asks,
    pipes: Vec<Pipe>,
    program: Option<Program>,
    has_children: bool,
    /// What the programs that are started join, where this is somebody else's process.
    pub tree: Option<Tree>,
    /// How the workload has ended last.
    last_end: Option<Ended>,
}

/// The program that runs, or whose end is not told yet.
struct Program {
    source: Source,
    process: Process,
    stop_signal: i32,
    streams: Streams,
    /// When its end was seen.
    ended: Option<Instant>,
}

/// Where a program's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Streams {
    Lines,
    Channel,
}

impl Supervisor {
    /// A supervisor of nothing yet. Without signals it still reaps, and looks now and then.
    pub fn new(mut host: Host, signals: nix::Result<Signals>) -> Self {
        let asks = match signals {
            Ok(signals) => Asks::Signals(signals),
            Err(error) => {
                host.fail(format!("cannot wait for signals: {error}; end the machine from outside"));
                Asks::Nothing
            }
        };
        Self::asked_by(host, asks)
    }

    /// A supervisor that is asked to end in this way.
    pub fn asked_by(host: Host, asks: Asks) -> Self {
        let (pipes, program) = (Vec::new(), None);
        Self { host, channel: None, asks, pipes, program, has_children: false, tree: None, last_end: None }
    }

    /// Whose children this process waits for.
    fn children(&self) -> Children {
        match self.asks {
            Asks::Signals(_) | Asks::Nothing => Children::All,
            Asks::Descriptor(_) => Children::Own,
        }
    }

    /// Starts a program. One runs at a time.
    ///
    /// # Errors
    /// When it does not run.
    pub fn start(&mut self, job: &Job) -> Result<(), Unstarted> {
        let mut spawned = job.spawn(self.tree.as_ref().and_then(Tree::entrance), self.children())?;
        self.has_children = true;
        spawned.process.wait_for_beginning(BEGINNING)?;
        let streams = match spawned.others {
            OtherEnds::Nowhere => Streams::Lines,
            OtherEnds::Lines(out, err) => {
                for (stream, descriptor) in [(Stream::Out, out), (Stream::Err, err)] {
                    match Pipe::new(descriptor, job.source, stream) {
                        Ok(pipe) => self.pipes.push(pipe),
                        Err(error) => self.host.fail(format!("cannot read the program's output: {error}")),
                    }
                }
                Streams::Lines
            }
            OtherEnds::Channel(ends) => {
                if let Some(channel) = &mut self.channel {
                    channel.attachment.begin(ends);
                }
                Streams::Channel
            }
        };
        let (source, stop_signal) = (job.source, job.stop_signal);
        self.program = Some(Program { source, process: spawned.process, stop_signal, streams, ended: None });
        Ok(())
    }

    /// Which program ended, and how, once everything that it wrote is told. It is given once.
    pub fn take_end(&mut self) -> Option<(Source, Ended)> {
        if !self.is_told() && self.detached_until().is_none_or(|until| Instant::now() < until) {
            return None;
        }
        self.take_end_at_last()
    }

    /// The same, whether or not everything is told.
    pub fn take_end_at_last(&mut self) -> Option<(Source, Ended)> {
        let program = self.program.as_ref()?;
        let (source, end) = (program.source, program.process.end()?);
        if let Some(unstarted) = program.process.unstarted() {
            self.host.fail(unstarted.reason.clone());
        }
        self.program = None;
        self.last_end = Some(end).filter(|_| source == Source::Workload).or(self.last_end);
        Some((source, end))
    }

    /// Whether everything that the program has written is told.
    fn is_told(&self) -> bool {
        let attached = self.channel.as_ref().filter(|_| self.goes_by_channel());
        self.pipes.iter().all(Pipe::has_ended) && attached.is_none_or(|channel| channel.attachment.is_drained())
    }

    fn goes_by_channel(&self) -> bool {
        self.program.as_ref().is_some_and(|program| program.streams == Streams::Channel)
    }

    /// Until when a host may come for what a program that has ended has left, where none is attached.
    fn detached_until(&self) -> Option<Instant> {
        let ended = self.program.as_ref()?.ended?;
        let channel = self.channel.as_ref().filter(|_| self.goes_by_channel())?;
        (!channel.attachment.is_attached()).then(|| ended + ATTACH_PATIENCE)
    }

    /// Whether a program runs.
    pub fn is_running(&self) -> bool {
        self.program.as_ref().is_some_and(|program| program.process.end().is_none())
    }

    /// Whether this process has children, as far as it has looked.
    pub fn has_children(&self) -> bool {
        self.has_children
    }

    /// Asks the program to end, in the way that its image wants.
    pub fn ask_program_to_end(&self) {
        if let Some(program) = self.program.as_ref().filter(|_| self.is_running()) {
            program.process.signal(program.stop_signal);
        }
    }

    /// Sends a signal to all programs that were started here, and with SIGKILL to what those have started.
    pub fn signal_own(&mut self, signal: Signal) {
        if let Some(program) = &self.program {
            program.process.signal(signal as i32);
        }
        if signal == Signal::SIGKILL
            && let Some(tree) = &self.tree
        {
            tree.kill(self.program.as_ref().and_then(|program| program.process.running()));
        }
        if let Some(channel) = &self.channel {
            channel.signal_programs(signal);
        }
    }

    /// Kills the program and the processes of its group.
    pub fn kill_program(&self) {
        if let Some(program) = self.program.as_ref().filter(|_| self.is_running()) {
            program.process.signal(Signal::SIGKILL as i32);
        }
    }

    /// Waits until something happens, but not past the deadline, and deals with it. Gives the signal that asks for an end.
    pub fn step(&mut self, deadline: Option<Instant>) -> Option<Signal> {
        let asked = self.wait(deadline);
        if let (Some(_), Asks::Descriptor(descriptor)) = (asked, &mut self.asks) {
            *descriptor = None;
        }
        self.reap();
        self.host.write();
        self.read_output();
        self.serve();
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
        self.while_there_is_progress(patience, Self::is_told);
    }

    /// Ends the session with the host of the channel, and waits until it has taken everything, as long as it does so within the patience.
    pub fn close_channel(&mut self, patience: Duration) {
        let end = self.last_end;
        if let Some(channel) = &mut self.channel {
            channel.close(end);
            // What goes at once is no sign of the host.
            self.serve();
            self.while_there_is_progress(patience, |supervisor| {
                supervisor.channel.as_ref().is_none_or(Channel::is_closed)
            });
        }
    }

    /// Steps until the condition holds, as long as the host takes something within the patience, but no longer than [`MOST_LAST_WORDS`].
    fn while_there_is_progress(&mut self, patience: Duration, holds: impl Fn(&Self) -> bool) {
        let progress =
            |supervisor: &Self| (supervisor.host.progress(), supervisor.channel.as_ref().map_or(0, Channel::progress));
        let most = Instant::now() + MOST_LAST_WORDS;
        let (mut seen, mut deadline) = (progress(self), Instant::now() + patience);
        while !holds(self) && Instant::now() < deadline {
            self.step(Some(deadline));
            if progress(self) != seen {
                (seen, deadline) = (progress(self), most.min(Instant::now() + patience));
            }
        }
    }

    /// Waits, and gives the signal that asks for an end.
    fn wait(&self, deadline: Option<Instant>) -> Option<Signal> {
        let mut descriptors = Vec::new();
        let asks = match &self.asks {
            Asks::Signals(signals) => Some(signals.as_fd()),
            Asks::Descriptor(descriptor) => descriptor.as_ref().map(AsFd::as_fd),
            Asks::Nothing => None,
        };
        descriptors.extend(asks.map(|asks| PollFd::new(asks, PollFlags::POLLIN)));
        let program = self.program.as_ref().and_then(|program| program.process.waits_for());
        let ends = program.into_iter().chain(self.channel.iter().flat_map(Channel::ends));
        descriptors.extend(ends.map(|end| PollFd::new(end, PollFlags::POLLIN)));
        if let Some(channel) = &self.channel {
            channel.wait_for(&mut descriptors);
        }
        descriptors.extend(self.host.waits_for().map(|host| PollFd::new(host, PollFlags::POLLOUT)));
        if self.host.has_room() {
            let open = self.pipes.iter().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
            descriptors.extend(open);
        }
        let parts = self.pipes.iter().filter_map(Pipe::deadline);
        let is_blind = matches!(self.asks, Asks::Nothing);
        let blind = is_blind.then(|| Instant::now() + WITHOUT_SIGNALS);
        let until = parts.chain(deadline).chain(blind).chain(self.detached_until()).min();
        let is_ready = self.channel.as_ref().is_some_and(Channel::is_ready);
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            // A millisecond more: poll counts in whole ones, and must not wake up too early again and again.
            let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let timeout = if is_ready { PollTimeout::ZERO } else { timeout };
        // Interrupted or not: all descriptors are looked at, and none of them makes its reader wait.
        let _ = poll(&mut descriptors, timeout);
        match &self.asks {
            Asks::Signals(signals) => signals.asked_to_end(),
            Asks::Descriptor(Some(_)) => {
                descriptors.first().and_then(PollFd::any).unwrap_or(false).then_some(Signal::SIGTERM)
            }
            Asks::Descriptor(None) | Asks::Nothing => None,
        }
    }

    /// Does what the host asks for over the channel.
    fn serve(&mut self) {
        let Some(channel) = &mut self.channel else { return };
        for signal in channel.step(&mut self.host) {
            if let Some(program) = self.program.as_ref().filter(|program| program.source == Source::Workload) {
                program.process.signal(signal);
            }
        }
    }

    /// Takes the exit statuses of what has ended.
    fn reap(&mut self) {
        match self.children() {
            Children::All => self.reap_all(),
            Children::Own => self.reap_own(),
        }
        let Some(program) = self.program.as_mut().filter(|program| program.ended.is_none()) else { return };
        if program.process.end().is_some() {
            program.ended = Some(Instant::now());
            if let Some(channel) = self.channel.as_mut().filter(|_| program.streams == Streams::Channel) {
                channel.attachment.program_ended();
            }
        }
    }

    /// Takes those of the programs that were started here.
    fn reap_own(&mut self) {
        if let Some(program) = &mut self.program {
            program.process.look();
        }
        if let Some(channel) = &mut self.channel {
            channel.look();
        }
        self.has_children = self.is_running() || self.channel.as_ref().is_some_and(Channel::has_programs);
    }

    /// Takes those of all children. Signals merge, so one of them may stand for many children.
    fn reap_all(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(None) => {
                    self.has_children = true;
                    return;
                }
                Ok(Some((pid, status))) => {
                    let program = self.program.as_mut();
                    if !program.is_some_and(|program| program.process.take_status(pid, status))
                        && let Some(channel) = &mut self.channel
                    {
                        channel.take_status(pid, status);
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
        if pipes.is_empty() {
            return;
        }
        let is_over = program.as_ref().is_none_or(|program| program.process.end().is_some());
        let mut buffer = vec![0; CHUNK];
        pipes.retain_mut(|pipe| pipe.tell(host, is_over, &mut buffer) == Rest::MayCome);
    }
}
