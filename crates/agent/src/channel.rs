//! What the agent does for the host over the channel, in the one loop in which it waits ([`Supervisor`](crate::supervisor::Supervisor)).
//!
//! ```text
//!               ┌─ link: carrier and session ─┐
//!   host ──────>│ requests, signals, sizes    │──> exec: a program for each stream, in a tree of its own
//!        <──────│ bytes of the flows, credit  │<── ends: pipes and terminals, read into the room that there is
//!               └─────────────────────────────┘──> attachment: the workload's streams
//! ```
//!
//! The bytes are described in `docs/channel.md`.

mod attachment;
mod exec;
mod link;

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use nex_channel::{Exit, GuestEvent, NotStarted, StreamId};
use nex_contract::{ByteString, ChannelStreams, Exec, ImageConfig, Pid1, Request};
use nex_protocol::{Ended, Source};
use nix::poll::PollFd;
use nix::sys::signal::Signal;
use rustix::process::{Pid, WaitStatus};

use self::attachment::Attachment;
use self::exec::Execs;
use self::link::{CHUNK, Happened, Link};
use crate::carrier::Carrier;
use crate::host::Host;
use crate::mounts::CONTROL_GROUPS;
use crate::process::Children;
use crate::root::OwnRoot;
use crate::spawn::{Job, JobStreams};
use crate::tar_role;
use crate::tree::Trees;

/// What programs have of the workload, unless the host says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Environment, each `NAME=value`.
    pub env: Vec<OsString>,
    /// The user, as images write it.
    pub user: String,
    /// The directory.
    pub working_dir: OsString,
}

impl Surroundings {
    /// Those of a workload.
    pub fn of(job: &Job) -> Self {
        Self { env: job.env.clone(), user: job.user.clone(), working_dir: job.working_dir.clone() }
    }

    /// Those of the image, where no workload is known.
    fn of_image() -> Self {
        // What is wrong with the file is told by the image's program, if anybody asks for that.
        let config = ImageConfig::of(&OwnRoot).ok().flatten().unwrap_or_default();
        let env = config.env.into_iter().map(Into::into).collect();
        Self { env, user: config.user, working_dir: config.working_dir.into() }
    }
}

/// Why nothing more runs for a host.
const ENDING: &str = "the machine ends";

/// The channel to the host, and what runs for it.
#[derive(Debug)]
pub struct Channel {
    link: Link,
    execs: Execs,
    /// The workload's streams.
    pub attachment: Attachment,
    surroundings: Option<Surroundings>,
    own_program: PathBuf,
    buffer: Box<[u8]>,
    phase: Phase,
}

/// How far the end of the machine is. Each holds for all sessions that are still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The machine runs.
    Running,
    /// Its programs end, and no other starts.
    Ending,
    /// Sessions end as well.
    Closing,
}

/// Where a channel's programs run.
#[derive(Debug)]
pub struct ChannelOptions<'a> {
    /// They get control groups below this directory, if it is one of version 2.
    pub groups: &'a Path,
    /// Whose children this process waits for.
    pub children: Children,
    /// The agent's own file, which is started for tars.
    pub own_program: PathBuf,
}

impl Default for ChannelOptions<'_> {
    /// Those of an init.
    fn default() -> Self {
        Self { groups: Path::new(CONTROL_GROUPS), children: Children::All, own_program: "/proc/self/exe".into() }
    }
}

impl Channel {
    /// A channel over this carrier.
    pub fn new(carrier: Carrier, options: ChannelOptions<'_>) -> Self {
        let ChannelOptions { groups, children, own_program } = options;
        Self {
            link: Link::new(carrier),
            execs: Execs::new(Trees::new(groups, "nex"), children),
            own_program,
            attachment: Attachment::default(),
            surroundings: None,
            buffer: vec![0; CHUNK].into(),
            phase: Phase::Running,
        }
    }

    /// What programs have from now on, unless the host says otherwise.
    pub fn surround(&mut self, surroundings: Surroundings) {
        self.surroundings = Some(surroundings);
    }

    /// There is no workload to attach to.
    pub fn withdraw_workload(&mut self, why: &'static str) {
        self.attachment.withdraw(&mut self.link.guest, why);
    }

    /// Adds what to wait for.
    pub fn wait_for<'a>(&'a self, descriptors: &mut Vec<PollFd<'a>>) {
        self.link.wait_for(descriptors);
        self.execs.wait_for(&self.link.guest, descriptors);
        self.attachment.wait_for(&self.link.guest, descriptors);
    }

    /// Whether there is something to do without waiting.
    pub fn is_ready(&self) -> bool {
        self.execs.are_ready(&self.link.guest) || self.attachment.is_ready(&self.link.guest)
    }

    /// What becomes readable when a program has ended, where no signal tells.
    pub fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.execs.ends()
    }

    /// Takes an exit status, if it is that of a program of the channel's.
    pub fn take_status(&mut self, pid: Pid, status: WaitStatus) {
        self.execs.take_status(pid, status);
    }

    /// Looks for the exit status of each program of the channel's.
    pub fn look(&mut self) {
        self.execs.look();
    }

    /// Whether a program of the channel's runs.
    pub fn has_programs(&self) -> bool {
        self.execs.run()
    }

    /// A number that grows while the host takes something.
    pub fn progress(&self) -> u64 {
        self.link.progress()
    }

    /// Does what is to be done without waiting, and gives the signals for the workload.
    pub fn step(&mut self, host: &mut Host) -> Vec<i32> {
        let mut signals = Vec::new();
        if let Some(over) = self.link.accept() {
            self.deal_with(over, host, &mut signals);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let (count, over) = self.link.read(&mut buffer);
        let (mut bytes, _) = buffer.split_at(count);
        let mut happened = over;
        // One at a time: what follows may be of another session.
        while let Some(now) = happened.or_else(|| self.link.next(&mut bytes)) {
            self.deal_with(now, host, &mut signals);
            happened = None;
        }
        self.buffer = buffer;
        // What is sent makes room for more; what is still to come after that wakes the loop up again.
        for _ in 0..2 {
            self.carry();
            if let Some(over) = self.link.transmit() {
                self.deal_with(over, host, &mut signals);
            }
        }
        signals
    }

    fn carry(&mut self) {
        self.execs.carry(&mut self.link.guest, &mut self.buffer);
        self.attachment.carry(&mut self.link.guest, &mut self.buffer);
    }

    fn deal_with(&mut self, happened: Happened, host: &mut Host, signals: &mut Vec<i32>) {
        match happened {
            Happened::Said(event) => self.answer(event, signals),
            Happened::Over(why) => {
                self.execs.kill_all();
                self.attachment.detach();
                if let Some(why) = why {
                    host.note(format!("the session of the channel is over: {why}"));
                }
            }
        }
    }

    fn answer(&mut self, event: GuestEvent, signals: &mut Vec<i32>) {
        let guest = &mut self.link.guest;
        match event {
            GuestEvent::Request(stream, Request::Exec(_) | Request::TarIn(_) | Request::TarOut(_))
                if self.phase != Phase::Running =>
            {
                guest.refuse(stream, ENDING);
            }
            GuestEvent::Request(stream, Request::Exec(exec)) => self.exec(stream, exec),
            GuestEvent::Request(stream, Request::Attach(attach)) => self.attachment.attach(guest, stream, attach),
            GuestEvent::Request(stream, request) => self.start_own(stream, &request),
            GuestEvent::Signal(stream, signal) if self.attachment.is_of(stream) => signals.push(signal.number().into()),
            GuestEvent::Signal(stream, signal) => self.execs.signal(stream, signal),
            GuestEvent::Resize(stream, size) if self.attachment.is_of(stream) => self.attachment.resize(size),
            GuestEvent::Resize(stream, size) => self.execs.resize(stream, size),
            GuestEvent::Reset(stream, _) if self.attachment.is_of(stream) => {
                self.attachment.detach();
                guest.refuse(stream, "detached");
            }
            GuestEvent::Reset(stream, _) => self.execs.kill(guest, stream),
            GuestEvent::Ready(_) if self.phase == Phase::Closing => guest.close(),
            GuestEvent::Ready(_) | GuestEvent::Data(_) | GuestEvent::Eof(_) | GuestEvent::Closed => {}
        }
    }

    /// Runs a program of the host's choice.
    fn exec(&mut self, stream: StreamId, exec: Exec) {
        let Surroundings { mut env, user, working_dir } =
            self.surroundings.clone().unwrap_or_else(Surroundings::of_image);
        let mut argv = exec.argv.into_iter().map(bytes);
        let program = argv.next().unwrap_or_default();
        env.extend(exec.env.into_iter().map(bytes));
        let job = Job {
            source: Source::Workload,
            argv0: program.clone(),
            program,
            args: argv.collect(),
            env,
            user: if exec.user.is_empty() { user } else { exec.user },
            working_dir: if exec.working_dir.is_empty() { working_dir } else { bytes(exec.working_dir) },
            stop_signal: Signal::SIGTERM as i32,
            open_files: None,
            streams: JobStreams::Channel(ChannelStreams { stdin: exec.stdin, terminal: exec.terminal }),
            pid1: Pid1::Agent,
        };
        self.execs.start(&mut self.link.guest, stream, &job);
    }

    /// Runs the agent itself, as root, for a tar.
    fn start_own(&mut self, stream: StreamId, request: &Request) {
        let Some((name, args)) = tar_role::command(request) else {
            return self.link.guest.refuse(stream, "this agent does nothing of the kind");
        };
        let job = Job {
            source: Source::Workload,
            program: self.own_program.clone().into(),
            argv0: name.into(),
            args,
            env: Vec::new(),
            user: String::new(),
            working_dir: OsString::new(),
            stop_signal: Signal::SIGTERM as i32,
            open_files: None,
            streams: JobStreams::Channel(ChannelStreams { stdin: request.stdin(), terminal: None }),
            pid1: Pid1::Agent,
        };
        self.execs.start(&mut self.link.guest, stream, &job);
    }

    /// Starts no program any more, in this session or in a later one: the machine is about to end.
    pub fn refuse_programs(&mut self) {
        self.phase = Phase::Ending;
    }

    /// Tells the host that the session ends, once what still runs for it is killed and all has been told. The workload's end is this one,
    /// unless it has ended for good before.
    pub fn close(&mut self, workload: Option<Ended>) {
        let reason = "the machine ends before the workload has begun".to_owned();
        let never = Exit::NotStarted { code: NotStarted::Other, reason };
        self.attachment.finish(workload.map_or(never, exec::exit));
        self.execs.give_up(&mut self.link.guest, ENDING);
        self.phase = Phase::Closing;
        self.link.guest.close();
    }

    /// Sends a signal to all programs of the channel's, and with SIGKILL to what those have started.
    pub fn signal_programs(&self, signal: Signal) {
        self.execs.signal_all(signal);
    }

    /// Whether the host has all that there was to tell, or is not there.
    pub fn is_closed(&self) -> bool {
        self.link.is_idle()
    }

    /// Says how the workload has ended for good.
    pub fn finish_workload(&mut self, end: Ended) {
        self.attachment.finish(exec::exit(end));
    }
}

fn bytes(text: ByteString) -> OsString {
    text.as_os_str().to_owned()
}
