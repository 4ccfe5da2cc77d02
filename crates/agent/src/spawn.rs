//! Starts a program.

use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::fchown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nex_contract::{
    ChannelStreams, NOT_STARTED, PATH, Pid1, Stdin, Terminal, Unstarted, User, find_directory, find_program,
    split_os_variable,
};
use nex_protocol::Source;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Uid, setgid, setgroups, setresgid, setresuid, setsid, setuid};
use rustix::process::ioctl_tiocsctty;

use crate::console;
use crate::ends::Ends;
use crate::execution;
use crate::open_files;
use crate::process::{Children, Process};
use crate::root::OwnRoot;
use crate::terminal;

/// What to start, and how.
#[derive(Clone, Debug)]
pub struct Job {
    /// What it is in this guest.
    pub source: Source,
    /// The program: a path, or a name to look for in `PATH`.
    pub program: OsString,
    /// The name that it is called by.
    pub argv0: OsString,
    /// The arguments after that.
    pub args: Vec<OsString>,
    /// Environment, each `NAME=value`.
    pub env: Vec<OsString>,
    /// The user, as images write it; empty for whom the agent runs as.
    pub user: String,
    /// The directory that it starts in; empty for the root.
    pub working_dir: OsString,
    /// The number of the signal that asks it to end.
    pub stop_signal: i32,
    /// How many files it may have open; as many as container engines give without it.
    pub open_files: Option<u64>,
    /// Where its standard streams lead.
    pub streams: JobStreams,
    /// Who is process 1 once it runs.
    pub pid1: Pid1,
}

/// Where the standard streams of a program lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobStreams {
    /// Nowhere.
    Nowhere,
    /// Output to the agent, which makes lines of it; there is no input.
    Lines,
    /// To a stream of the channel.
    Channel(ChannelStreams),
}

/// A program that is about to run.
struct Prepared {
    command: Command,
    program: PathBuf,
    user: Option<User>,
    open_files: Option<u64>,
}

/// What a program reads that takes the place of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// What is typed on the console.
    Console,
    /// Nothing, as all programs that the agent starts.
    Nothing,
}

/// A program that takes the place of this process.
pub struct Successor {
    prepared: Prepared,
    /// Whether the user has asked for the limit on open files.
    is_asked: bool,
}

impl Successor {
    /// Becomes the program, with the console as its streams. Returns only when that fails, with the reason; this process is root then,
    /// as it was before.
    pub fn start(self) -> Unstarted {
        let Prepared { command, program, user, open_files } = self.prepared;
        console::give_to(user.as_ref().map(|user| user.uid));
        let failed = |what: &str, error: nix::Error| Unstarted::new(NOT_STARTED, format!("cannot {what}: {error}"));
        if let Err(error) = set_open_files(open_files, self.is_asked) {
            return failed("set how many files it may have open", error);
        }
        if let Err(error) = SigSet::empty().thread_set_mask() {
            return failed("unblock signals", error);
        }
        if let Some(Err(error)) = user.map(|user| become_user(&user)) {
            return failed("become its user", error);
        }
        let unstarted = execution::become_program(command, &program);
        // Whoever ends the machine has to be root. The program would not have had this way back.
        let _ = setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0));
        let _ = setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0));
        unstarted
    }
}

/// Becomes a user, but for the saved ids: with the execution of a program, these become the user's too.
fn become_user(user: &User) -> nix::Result<()> {
    let (root_user, root_group) = (Uid::from_raw(0), Gid::from_raw(0));
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    setgroups(&groups)?;
    setresgid(gid, gid, root_group)?;
    setresuid(uid, uid, root_user)
}

/// A program that runs.
pub struct Spawned {
    /// Its first process.
    pub process: Process,
    /// The other ends of its standard streams.
    pub others: OtherEnds,
}

/// The agent's ends of a program's standard streams.
pub enum OtherEnds {
    /// They lead nowhere.
    Nowhere,
    /// Its standard output and its standard error, for lines.
    Lines(OwnedFd, OwnedFd),
    /// All of them, for a stream of the channel.
    Channel(Ends),
}

impl Job {
    /// Starts it in a session of its own, and in a control group if it has to join one at its entrance. Its standard input is
    /// `/dev/null` unless a stream of the channel brings it.
    ///
    /// It does not wait until the program is executed: [`Process::unstarted`] says why it was not.
    ///
    /// # Errors
    /// When there is no process for it.
    pub fn spawn(&self, entrance: Option<BorrowedFd<'_>>, children: Children) -> Result<Spawned, Unstarted> {
        let Prepared { mut command, program, user, open_files } = self.prepare()?;
        let others = self.connect(&mut command, user.as_ref())?;
        let has_terminal = matches!(&self.streams, JobStreams::Channel(streams) if streams.terminal.is_some());
        let group = entrance.map(|entrance| entrance.try_clone_to_owned()).transpose();
        let group = group.map_err(|error| Unstarted::new(NOT_STARTED, format!("it cannot join its group: {error}")))?;
        let given_up = GivenUp { group, has_terminal, user, open_files, is_asked: self.open_files.is_some() };
        given_up.by(&mut command);
        let (pid, beginning) = execution::start(command, program)
            .map_err(|error| Unstarted::new(NOT_STARTED, format!("there is no process for it: {error}")))?;
        let process = Process::new(pid, beginning, children);
        let process =
            process.map_err(|error| Unstarted::new(NOT_STARTED, format!("it cannot be waited for: {error}")))?;
        Ok(Spawned { process, others })
    }

    /// Gives the program its standard streams.
    fn connect(&self, command: &mut Command, user: Option<&User>) -> Result<OtherEnds, Unstarted> {
        match &self.streams {
            JobStreams::Nowhere => {
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                Ok(OtherEnds::Nowhere)
            }
            JobStreams::Lines => {
                let (out, err) = outputs(command, user)?;
                command.stdin(Stdio::null());
                Ok(OtherEnds::Lines(out, err))
            }
            JobStreams::Channel(ChannelStreams { stdin, terminal: Some(terminal) }) => {
                let (agents, programs) = terminal::open(terminal.size, user)?;
                let copy = || programs.try_clone().map_err(no_streams);
                command.stdin(copy()?).stdout(copy()?).stderr(copy()?);
                Ends::of_terminal(agents, *stdin).map(OtherEnds::Channel).map_err(no_streams)
            }
            JobStreams::Channel(ChannelStreams { stdin, terminal: None }) => {
                let (out, err) = outputs(command, user)?;
                let input = match stdin {
                    Stdin::Null => {
                        command.stdin(Stdio::null());
                        None
                    }
                    Stdin::Stream => {
                        let (programs, agents) = pipe(user, End::Read)?;
                        command.stdin(programs);
                        Some(agents)
                    }
                };
                Ends::of_pipes(input, out, err).map(OtherEnds::Channel).map_err(no_streams)
            }
        }
    }

    /// Makes it ready to take the agent's place.
    ///
    /// # Errors
    /// When it does not run.
    pub fn successor(&self, input: Input) -> Result<Successor, Unstarted> {
        let mut prepared = self.prepare()?;
        if input == Input::Nothing {
            prepared.command.stdin(Stdio::null());
        }
        Ok(Successor { prepared, is_asked: self.open_files.is_some() })
    }

    /// What both have in common: everything but the streams and what is given up.
    fn prepare(&self) -> Result<Prepared, Unstarted> {
        let user = self.find_user()?;
        let directory = find_directory(&self.working_dir, &OwnRoot)?;
        let program = find_program(&self.program, &self.env, directory, &OwnRoot)?;
        let mut command = Command::new(&program);
        command.arg0(&self.argv0).args(&self.args).current_dir(directory).env_clear().env("PATH", PATH);
        command.env("HOME", user.as_ref().map_or("/root", |user| &user.home));
        if let JobStreams::Channel(ChannelStreams { terminal: Some(Terminal { term, .. }), .. }) = &self.streams {
            command.env("TERM", if term.is_empty() { terminal::TYPE } else { term });
        }
        command.envs(self.env.iter().filter_map(|variable| split_os_variable(variable)));
        // Who is not root has its user's limits, and cannot become another.
        let is_root = Uid::effective().is_root();
        let user = user.filter(|_| is_root);
        let open_files = match self.open_files {
            asked if is_root => Some(open_files::limit(asked)?),
            None => None,
            Some(_) => {
                let reason = "only an agent that is root can say how many files it may have open";
                return Err(Unstarted::new(NOT_STARTED, reason));
            }
        };
        Ok(Prepared { command, program, user, open_files })
    }

    /// The user to become; `None` for whom the agent runs as.
    fn find_user(&self) -> Result<Option<User>, Unstarted> {
        if self.user.is_empty() {
            return Ok(None);
        }
        let user = User::find(&self.user, &OwnRoot)?;
        let own = Uid::effective();
        if own.is_root() || user.uid == own.as_raw() {
            return Ok(Some(user));
        }
        let reason = format!("the agent runs as user {own} and cannot become user {}; only as init can it", user.uid);
        Err(Unstarted::new(NOT_STARTED, reason))
    }
}

/// Which end of a pipe is the program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Read,
    Write,
}

/// A pipe: the program's end and the agent's. The former is the program's user's: many open their output by its name, `/dev/stdout`.
fn pipe(user: Option<&User>, programs: End) -> Result<(OwnedFd, OwnedFd), Unstarted> {
    let made = io::pipe().and_then(|(reader, writer)| {
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        let (programs, agents) = if programs == End::Read { (reader, writer) } else { (writer, reader) };
        if let Some(user) = user {
            fchown(&programs, Some(user.uid), Some(user.gid))?;
        }
        Ok((programs, agents))
    });
    made.map_err(no_streams)
}

/// Pipes for the program's output, and the agent's ends of them.
fn outputs(command: &mut Command, user: Option<&User>) -> Result<(OwnedFd, OwnedFd), Unstarted> {
    let ((out, agents_out), (err, agents_err)) = (pipe(user, End::Write)?, pipe(user, End::Write)?);
    command.stdout(out).stderr(err);
    Ok((agents_out, agents_err))
}

fn no_streams(error: io::Error) -> Unstarted {
    Unstarted::new(NOT_STARTED, format!("it gets no standard streams: {error}"))
}

/// What the new process gives up of the agent's, before it becomes the program.
struct GivenUp {
    /// The control group that it joins in place of the agent's.
    group: Option<OwnedFd>,
    /// Whether its standard input is a terminal, which becomes that of its session.
    has_terminal: bool,
    user: Option<User>,
    open_files: Option<u64>,
    is_asked: bool,
}

impl GivenUp {
    #[allow(unsafe_code, reason = "the standard library has no other way to unblock signals and to leave groups")]
    fn by(self, command: &mut Command) {
        let Self { group, has_terminal, user, open_files, is_asked } = self;
        let user = user.map(|user| {
            let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
            (user, groups)
        });
        let give_up = move || -> io::Result<()> {
            SigSet::empty().thread_set_mask()?;
            setsid()?;
            if has_terminal {
                ioctl_tiocsctty(rustix::stdio::stdin())?;
            }
            if let Some(group) = &group {
                nix::unistd::write(group, b"0")?;
            }
            set_open_files(open_files, is_asked)?;
            if let Some((user, groups)) = &user {
                setgroups(groups)?;
                setgid(Gid::from_raw(user.gid))?;
                setuid(Uid::from_raw(user.uid))?;
            }
            Ok(())
        };
        // SAFETY: between fork and exec the closure makes system calls and nothing else; it takes no lock and no memory.
        unsafe {
            command.pre_exec(give_up);
        }
    }
}

fn set_open_files(number: Option<u64>, is_asked: bool) -> nix::Result<()> {
    let Some(number) = number else { return Ok(()) };
    let set = setrlimit(Resource::RLIMIT_NOFILE, number, number);
    // In a container, root may not raise it, and keeps what it has.
    if is_asked { set } else { Ok(()) }
}
