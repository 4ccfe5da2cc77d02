//! A VMM's process: its standard input and output are the guest's console, and it never outlives us.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Instant;

use nex_process::Parent;
use rustix::event::PollFlags;
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, FdFlags};
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::{interrupt, pid_namespace};

/// The most that is kept of what a VMM says beside the console, in bytes.
const SAID: u64 = 64 << 10;

/// What nobody but the user gets of the files and sockets that a VMM makes, and all that the user needs of them.
const UMASK: u32 = 0o077;

/// A process that runs.
pub struct Process {
    child: Child,
    /// Readable when the process has ended.
    pidfd: OwnedFd,
    /// The number of the program's own process, where another one holds it.
    held: Option<u32>,
    /// The guest's keyboard.
    pub input: ChildStdin,
    /// The guest's console.
    pub output: ChildStdout,
    /// What it writes to standard error. A file in memory: nobody has to empty it, and a guest that makes its VMM complain
    /// without end does not fill the memory.
    said: File,
    /// What the kernel has it end with.
    _parent: Parent,
}

impl Process {
    /// Starts a program, and lets it have these descriptors under the numbers that they have here.
    ///
    /// It is a process group of its own, so that Ctrl-C reaches us and not it; and the kernel kills it when we end, be it by
    /// SIGKILL. Which thread calls this, and what becomes of that, does not matter.
    pub fn start(command: Command, inherited: &[BorrowedFd<'_>]) -> io::Result<Self> {
        let parent = rustix::process::getpid();
        Self::start_with(
            command,
            inherited,
            |command| command.spawn(),
            move || {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                // Who has died before that call sends no signal any more.
                if rustix::process::getppid() != Some(parent) {
                    return Err(Errno::CHILD.into());
                }
                Ok(())
            },
        )
    }

    /// The same for a program that becomes another user's, and loses that signal: it is held by the init of a pid namespace, and
    /// ends with that, as does all that it has started. Root alone can do so.
    pub fn start_held(command: Command) -> io::Result<Self> {
        let parent = pid_namespace::own_number()?;
        let spawn = |command: &mut Command| pid_namespace::within_new(|| command.spawn());
        Self::start_with(command, &[], spawn, move || pid_namespace::hold(parent))
    }

    /// Starts a program that does this between fork and exec, which may be nothing but system calls.
    fn start_with(
        mut command: Command,
        inherited: &[BorrowedFd<'_>],
        spawn: impl FnOnce(&mut Command) -> io::Result<Child> + Send + 'static,
        prepare: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let said = nex_file::private::bounded_memory_file(c"nex-vmm-errors", SAID)?;
        let descriptors: Vec<i32> = inherited.iter().map(AsRawFd::as_raw_fd).collect();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said.try_clone()?).process_group(0);
        // SAFETY: between fork and exec only system calls are made, and the descriptors are open in the child, too.
        unsafe {
            command.pre_exec(move || {
                rustix::process::umask(Mode::from_raw_mode(UMASK));
                descriptors.iter().try_for_each(|descriptor| {
                    rustix::io::fcntl_setfd(BorrowedFd::borrow_raw(*descriptor), FdFlags::empty())
                })?;
                prepare()
            });
        }
        let parent = Parent::start()?;
        let mut child = parent.run(move || spawn(&mut command))??;
        let pidfd = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let (Ok(pidfd), Some(input), Some(output)) = (pidfd, child.stdin.take(), child.stdout.take()) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::ErrorKind::Unsupported.into());
        };
        let process = Self { child, pidfd, held: None, input, output, said, _parent: parent };
        rustix::fs::fcntl_setfl(&process.input, OFlags::NONBLOCK)?;
        Ok(process)
    }

    /// Its number: the program's own, once that is known.
    pub fn id(&self) -> u32 {
        self.held.unwrap_or_else(|| self.child.id())
    }

    /// Takes note of the program's own number: of who listens at the other end of this socket.
    pub fn note_number(&mut self, of: &UnixStream) {
        let peer = rustix::net::sockopt::socket_peercred(of);
        self.held = peer.ok().and_then(|peer| u32::try_from(peer.pid.as_raw_nonzero().get()).ok());
    }

    /// Something that kills it without it.
    pub fn killer(&self) -> io::Result<Killer> {
        Ok(Killer(self.pidfd.try_clone()?))
    }

    /// Kills it. Nothing happens to one that has ended.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Kills it, and waits for its end.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end, no longer than until then.
    pub fn wait(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        if !is_readable(self.pidfd.as_fd(), deadline)? {
            return Ok(None);
        }
        self.child.wait().map(Some)
    }

    /// What it has written to standard error, from the beginning.
    pub fn said(&mut self) -> String {
        let mut bytes = vec![0; SAID as usize];
        // Its own place in the file is the process's, who may still write. What cannot be read was not said.
        let read = self.said.read_exact_at(&mut bytes, 0);
        let text = read.map(|()| String::from_utf8_lossy(&bytes)).unwrap_or_default();
        text.trim_end_matches('\0').trim().to_owned()
    }

    /// The most memory that it has had so far, in bytes; `None` when it has ended.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = peak.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        kibibytes.checked_mul(1024)
    }
}

/// Kills a process, whoever has it.
pub struct Killer(OwnedFd);

impl Killer {
    /// Kills it, and waits for its end, no longer than until then.
    pub fn kill(&self, deadline: Instant) {
        let _ = rustix::process::pidfd_send_signal(&self.0, Signal::KILL);
        let _ = is_readable(self.0.as_fd(), deadline);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether something can be read, or the other end is closed, before the deadline.
pub fn is_readable(file: BorrowedFd<'_>, deadline: Instant) -> io::Result<bool> {
    interrupt::wait(&[(file, PollFlags::IN)], deadline).map(|first| first.is_some())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_program_does_not_end_with_the_thread_that_started_it() -> io::Result<()> {
        let start = || {
            let mut command = Command::new("sleep");
            command.arg("600");
            Process::start(command, &[])
        };
        let mut process = std::thread::spawn(start).join().map_err(|_| io::ErrorKind::Other)??;
        assert_eq!(process.wait(Instant::now() + Duration::from_millis(300))?, None);
        let pidfd = process.pidfd.try_clone()?;
        drop(process);
        assert!(is_readable(pidfd.as_fd(), Instant::now())?);
        Ok(())
    }

    #[test]
    fn who_complains_without_end_takes_no_more_memory() -> io::Result<()> {
        let mut command = Command::new("sh");
        command.args(["-c", "echo first >&2; head -c 10000000 /dev/zero | tr '\\0' x >&2; exit 0"]);
        let mut process = Process::start(command, &[])?;
        assert!(process.wait(Instant::now() + Duration::from_secs(60))?.is_some());
        let said = process.said();
        assert!(said.starts_with("first\nxxx"), "{}", said.get(..20).unwrap_or(&said));
        assert_eq!((process.said.metadata()?.len(), process.said()), (SAID, said));
        Ok(())
    }
}
