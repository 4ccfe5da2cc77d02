//! Starts a program.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::fs::fchown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nex_contract::{
    NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, PATH, Pid1, Unstarted, User, find_directory, find_program, split_variable,
};
use nex_protocol::Source;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Uid, setgid, setgroups, setresgid, setresuid, setsid, setuid};
use rustix::process::Pid;

use crate::console;
use crate::open_files;
use crate::root::OwnRoot;

/// What to start, and how.
#[derive(Clone, Debug)]
pub struct Job {
    /// What it is in this guest.
    pub source: Source,
    /// The program: a path, or a name to look for in `PATH`.
    pub program: String,
    /// The name that it is called by.
    pub argv0: String,
    /// The arguments after that.
    pub args: Vec<String>,
    /// Environment, each `NAME=value`.
    pub env: Vec<String>,
    /// The user, as images write it; empty for whom the agent runs as.
    pub user: String,
    /// The directory that it starts in; empty for the root.
    pub working_dir: String,
    /// The number of the signal that asks it to end.
    pub stop_signal: i32,
    /// How many files it may have open; as many as container engines give without it.
    pub open_files: Option<u64>,
    /// Whether its output goes nowhere.
    pub is_quiet: bool,
    /// Who is process 1 once it runs.
    pub pid1: Pid1,
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
        let Prepared { mut command, program, user, open_files } = self.prepared;
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
        let unstarted = refused(&program, &command.exec());
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
    /// Its process, the leader of a session of its own.
    pub pid: Pid,
    /// Its standard output and its standard error, unless they go nowhere.
    pub output: Option<(OwnedFd, OwnedFd)>,
}

impl Job {
    /// Starts it, with `/dev/null` as its standard input, and pipes for its output unless that goes nowhere.
    ///
    /// # Errors
    /// When it does not run.
    pub fn spawn(&self) -> Result<Spawned, Unstarted> {
        let Prepared { mut command, program, user, open_files } = self.prepare()?;
        command.stdin(Stdio::null());
        let output = if self.is_quiet {
            command.stdout(Stdio::null()).stderr(Stdio::null());
            None
        } else {
            let (out, out_end) = pipe(user.as_ref())?;
            let (err, err_end) = pipe(user.as_ref())?;
            command.stdout(out_end).stderr(err_end);
            Some((out.into(), err.into()))
        };
        give_up_the_agents(&mut command, user, open_files, self.open_files.is_some());
        let child = command.spawn().map_err(|error| refused(&program, &error))?;
        Ok(Spawned { pid: Pid::from_child(&child), output })
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
        command.envs(self.env.iter().filter_map(|variable| split_variable(variable)));
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

/// A pipe for the program's output. It is the program's user's: many open their output by its name, `/dev/stdout`.
fn pipe(user: Option<&User>) -> Result<(PipeReader, PipeWriter), Unstarted> {
    let made = io::pipe().and_then(|(reader, writer)| {
        if let Some(user) = user {
            fchown(&writer, Some(user.uid), Some(user.gid))?;
        }
        Ok((reader, writer))
    });
    made.map_err(|error| Unstarted::new(NOT_STARTED, format!("its output cannot be read: {error}")))
}

/// Has the new process give up what it has of the agent's, before it becomes the program.
#[allow(unsafe_code, reason = "the standard library has no other way to unblock signals and to leave groups")]
fn give_up_the_agents(command: &mut Command, user: Option<User>, open_files: Option<u64>, is_asked: bool) {
    let user = user.map(|user| {
        let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
        (user, groups)
    });
    let become_the_user = move || -> io::Result<()> {
        SigSet::empty().thread_set_mask()?;
        setsid()?;
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
        command.pre_exec(become_the_user);
    }
}

fn set_open_files(number: Option<u64>, is_asked: bool) -> nix::Result<()> {
    let Some(number) = number else { return Ok(()) };
    let set = setrlimit(Resource::RLIMIT_NOFILE, number, number);
    // In a container, root may not raise it, and keeps what it has.
    if is_asked { set } else { Ok(()) }
}

/// What the kernel's refusal means.
fn refused(program: &Path, error: &io::Error) -> Unstarted {
    let shown = program.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            Unstarted::new(NOT_FOUND, format!("{shown} is there, but its interpreter or its loader is not"))
        }
        io::ErrorKind::PermissionDenied => Unstarted::new(NOT_EXECUTABLE, format!("{shown} is not executable")),
        _ => Unstarted::new(NOT_EXECUTABLE, format!("{shown}: {error}")),
    }
}
