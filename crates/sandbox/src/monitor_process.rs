//! The monitor, as the caller has it.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nex_cancel::{Cancel, Leftover, Workspace};
use nex_process::{Parent, Role};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use crate::error::Error;
use crate::ids::{self, Ids};
use crate::incoming::{self, unexpected};
use crate::protocol::{Answer, Order};
use crate::wire::{Channel, receive_files, send_files};
use crate::work_dir::{RunDir, remove_empty};

/// How long a monitor may take to end that has said all that it had to say.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it may take to remove its tree when it is cancelled; what it does not get done is left to the next command.
const CLEAN_UP: Duration = Duration::from_secs(8);

/// The process in the first user namespace. It ends with this.
pub struct Monitor {
    child: Child,
    /// The line to it.
    pub channel: Channel,
    /// Whether it has said all that it had to say.
    is_done: bool,
    /// Its process and its tree. Forgotten behind all else, when the process has ended.
    _leftover: Leftover,
    /// What the kernel has it end with.
    _parent: Parent,
}

impl Monitor {
    /// Starts the process, and gives its namespace ids. It is given the run's lock behind the files.
    ///
    /// # Errors
    /// When the machine does not allow it.
    pub fn spawn(
        run: &RunDir,
        files: &[BorrowedFd],
        ids: &Ids,
        cancel: &Cancel,
        workspace: &Workspace,
    ) -> Result<Self, Error> {
        let start = || {
            let (ours, theirs) = UnixStream::pair()?;
            let mut command = Role::SandboxMonitor.command();
            command.current_dir(&run.path).stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
            let parent = Parent::start()?;
            let child = parent.run(move || command.spawn())??;
            let leftover = note(workspace, &child, &ours, run)?;
            let files = [files, &[run.lock.as_fd()]].concat();
            let sent = send_files(&ours, &files);
            let channel = Channel::cancelled_by(cancel.clone(), ours)?;
            let monitor = Self { child, channel, is_done: false, _leftover: leftover, _parent: parent };
            sent.map(|()| monitor)
        };
        let mut monitor = start().map_err(Error::Monitor)?;
        match monitor.answer()? {
            Answer::Unshared => ids.give(monitor.child.id())?,
            Answer::NoUserNamespace(errno) => {
                let cause = io::Error::from_raw_os_error(errno);
                return Err(Error::NoUserNamespace { way_out: ids::way_out(&cause), cause });
            }
            answer => return Err(unexpected(&answer)),
        }
        Ok(monitor)
    }

    /// Gives an order, now.
    ///
    /// # Errors
    /// When the monitor is gone: what it said then.
    pub fn order(&mut self, order: &Order) -> Result<(), Error> {
        let sent = self.channel.send_now(order);
        self.or_its_reason(sent)
    }

    /// Gives an order, sooner or later.
    ///
    /// # Errors
    /// When the monitor is gone: what it said then.
    pub fn send(&mut self, order: &Order) -> Result<(), Error> {
        let sent = self.channel.send(order);
        self.or_its_reason(sent)
    }

    /// The next file that was made inside.
    ///
    /// # Errors
    /// When the monitor is gone: what it said then.
    pub fn passed(&mut self, passage: &UnixStream) -> Result<OwnedFd, Error> {
        let file = self.channel.cancel().wait_for(passage.as_fd()).and_then(|()| receive_files(passage));
        let file = file.and_then(|files| files.into_iter().next().ok_or_else(|| io::Error::other("it passed no file")));
        self.or_its_reason(file)
    }

    /// A monitor that is not there any more has said why.
    fn or_its_reason<T>(&mut self, result: io::Result<T>) -> Result<T, Error> {
        result.map_err(|error| self.answer().err().unwrap_or_else(|| Error::unless_cancelled(Error::Monitor)(error)))
    }

    /// What it says next.
    ///
    /// # Errors
    /// When a step has failed, or the monitor is gone.
    pub fn answer(&mut self) -> Result<Answer, Error> {
        let answer = incoming::answer(&mut self.channel);
        self.is_done |= matches!(answer, Ok(Answer::Removed));
        self.noting(answer)
    }

    /// Takes note of a failure, after which it has no more to say. Cancelled, it has not failed.
    pub fn noting<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.is_done |= result.as_ref().is_err_and(|error| !matches!(error, Error::Cancelled(_)));
        result
    }

    /// Whether it has said something by then, or is gone.
    ///
    /// # Errors
    /// When it is cancelled before.
    pub fn says_something_by(&self, end: Instant) -> Result<bool, Error> {
        let said = self.channel.cancel().wait_until(self.channel.socket().as_fd(), end);
        said.map_err(Error::unless_cancelled(Error::Monitor))
    }

    /// Ends it in the middle of what it does.
    pub fn kill(mut self) {
        self.child.kill().ok();
        self.is_done = true;
    }

    /// Whether it ends within this time.
    fn ends(&self, patience: Duration) -> bool {
        let Ok(process) = rustix::process::pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()) else {
            return true;
        };
        let start = Instant::now();
        loop {
            let left = patience.saturating_sub(start.elapsed());
            let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            match rustix::event::poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
                Err(rustix::io::Errno::INTR) => {}
                ended => return ended != Ok(0),
            }
        }
    }
}

impl Drop for Monitor {
    /// Nobody listens any more: the monitor ends its scripts, removes the tree, and ends too. Once it has done that, nobody waits
    /// for what may hold one of its threads.
    fn drop(&mut self) {
        self.channel.socket().shutdown(Shutdown::Both).ok();
        let patience = match (self.is_done, self.channel.cancel().is_cancelled()) {
            (true, _) => Some(PATIENCE),
            (false, true) => Some(CLEAN_UP),
            (false, false) => None,
        };
        if patience.is_some_and(|patience| !self.ends(patience)) {
            self.child.kill().ok();
        } else {
            self.child.wait().ok();
        }
    }
}

/// Notes how to end a monitor, and to remove its tree.
fn note(workspace: &Workspace, monitor: &Child, line: &UnixStream, run: &RunDir) -> io::Result<Leftover> {
    let process = rustix::process::pidfd_open(Pid::from_child(monitor), PidfdFlags::empty())?;
    let (line, run) = (line.try_clone()?, run.path.clone());
    let patience = Timespec { tv_sec: CLEAN_UP.as_secs().cast_signed(), tv_nsec: 0 };
    Ok(workspace.note(move || {
        // The monitor notices that nobody listens any more. What fails here is made good by the next command.
        line.shutdown(Shutdown::Both).ok();
        rustix::event::poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience)).ok();
        remove_empty(&run).ok();
    })?)
}
