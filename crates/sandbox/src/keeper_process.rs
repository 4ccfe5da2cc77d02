//! The keeper, as the caller has it.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use crate::error::Error;
use crate::ids::{self, Ids};
use crate::incoming::{self, unexpected};
use crate::interrupt;
use crate::protocol::{Answer, Order};
use crate::stage::KEEPER;
use crate::wire::{Channel, receive_files, send_files};
use crate::work_dir::RunDir;

/// How long a keeper may take to end that has said all that it had to say.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process in the first user namespace. It ends with this.
pub struct Keeper {
    child: Child,
    /// The line to it.
    pub channel: Channel,
    /// Whether it has said all that it had to say.
    is_done: bool,
}

impl Keeper {
    /// Starts the process, and gives its namespace ids. It is given the run's lock behind the files.
    ///
    /// # Errors
    /// When the machine does not allow it.
    pub fn spawn(run: &RunDir, files: &[BorrowedFd], ids: &Ids) -> Result<Self, Error> {
        let start = || {
            let (ours, theirs) = UnixStream::pair()?;
            let child = Command::new("/proc/self/exe")
                .arg0(KEEPER)
                .current_dir(&run.path)
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(Stdio::null())
                .spawn()?;
            let files = [files, &[run.lock.as_fd()]].concat();
            let sent = send_files(&ours, &files);
            let keeper = Self { child, channel: Channel::new(ours)?, is_done: false };
            interrupt::began(Pid::from_child(&keeper.child), keeper.channel.socket(), &run.path)?;
            sent.map(|()| keeper)
        };
        let mut keeper = start().map_err(Error::Keeper)?;
        match keeper.answer()? {
            Answer::Unshared => ids.give(keeper.child.id())?,
            Answer::NoUserNamespace(errno) => {
                let cause = io::Error::from_raw_os_error(errno);
                return Err(Error::NoUserNamespace { way_out: ids::way_out(&cause), cause });
            }
            answer => return Err(unexpected(&answer)),
        }
        Ok(keeper)
    }

    /// Gives an order, now.
    ///
    /// # Errors
    /// When the keeper is gone: what it said then.
    pub fn order(&mut self, order: &Order) -> Result<(), Error> {
        let sent = self.channel.send_now(order);
        self.or_its_reason(sent)
    }

    /// Gives an order, sooner or later.
    ///
    /// # Errors
    /// When the keeper is gone: what it said then.
    pub fn send(&mut self, order: &Order) -> Result<(), Error> {
        let sent = self.channel.send(order);
        self.or_its_reason(sent)
    }

    /// The next file that was made inside.
    ///
    /// # Errors
    /// When the keeper is gone: what it said then.
    pub fn passed(&mut self, passage: &UnixStream) -> Result<OwnedFd, Error> {
        let file = receive_files(passage)
            .and_then(|files| files.into_iter().next().ok_or_else(|| io::Error::other("it passed no file")));
        self.or_its_reason(file)
    }

    /// A keeper that is not there any more has said why.
    fn or_its_reason<T>(&mut self, result: io::Result<T>) -> Result<T, Error> {
        result.map_err(|error| self.answer().err().unwrap_or(Error::Keeper(error)))
    }

    /// What it says next.
    ///
    /// # Errors
    /// When a step has failed, or the keeper is gone.
    pub fn answer(&mut self) -> Result<Answer, Error> {
        let answer = incoming::answer(&mut self.channel);
        self.is_done |= matches!(answer, Ok(Answer::Removed));
        self.noting(answer)
    }

    /// Takes note of a failure, after which it has no more to say.
    pub fn noting<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.is_done |= result.is_err();
        result
    }

    /// Whether it ends soon.
    fn ends(&self) -> bool {
        let Ok(process) = rustix::process::pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()) else {
            return true;
        };
        let start = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(start.elapsed());
            let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            match rustix::event::poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
                Err(rustix::io::Errno::INTR) => {}
                ended => return ended != Ok(0),
            }
        }
    }
}

impl Drop for Keeper {
    /// Nobody listens any more: the keeper ends its scripts, removes the tree, and ends too. Once it has done that, nobody waits
    /// for what may hold one of its threads.
    fn drop(&mut self) {
        interrupt::ended(Pid::from_child(&self.child));
        self.channel.socket().shutdown(Shutdown::Both).ok();
        if self.is_done && !self.ends() {
            self.child.kill().ok();
        } else {
            self.child.wait().ok();
        }
    }
}
