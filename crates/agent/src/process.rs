//! A program's first process, from its start to its exit status.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nex_protocol::Ended;
use nix::libc;
use rustix::process::{Pid, PidfdFlags, WaitOptions, WaitStatus, pidfd_open, waitpid};

/// Whose children this process waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Children {
    /// All that it has: it is an init or a service, and SIGCHLD tells.
    All,
    /// Those that it has started here, and no others: it is somebody else's process, and a descriptor of each child tells.
    Own,
}

/// A process that leads a session and a process group of its own.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    /// What becomes readable at its end, where no signal tells.
    descriptor: Option<OwnedFd>,
    end: Option<Ended>,
}

impl Process {
    /// A child that has just been started.
    ///
    /// # Errors
    /// When the kernel gives no descriptor of it (before Linux 5.3), where one is needed.
    pub fn new(pid: Pid, children: Children) -> std::io::Result<Self> {
        let descriptor = match children {
            Children::All => None,
            Children::Own => Some(pidfd_open(pid, PidfdFlags::empty())?),
        };
        Ok(Self { pid, descriptor, end: None })
    }

    /// How it has ended, once it has.
    pub fn end(&self) -> Option<Ended> {
        self.end
    }

    /// Its number, as long as it runs. Afterwards the number may be another's.
    pub fn running(&self) -> Option<Pid> {
        self.end.is_none().then_some(self.pid)
    }

    /// Sends a signal to it and to the processes of its group, if it runs.
    #[allow(unsafe_code, reason = "real-time signals have no safe name")]
    pub fn signal(&self, number: i32) {
        if let Some(pid) = self.running() {
            // SAFETY: the call takes two numbers and touches no memory.
            let _ = unsafe { libc::killpg(pid.as_raw_nonzero().get(), number) };
        }
    }

    /// What to wait for.
    pub fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.descriptor.as_ref().filter(|_| self.end.is_none()).map(AsFd::as_fd)
    }

    /// Takes an exit status, and says whether it is this one's.
    pub fn take_status(&mut self, pid: Pid, status: WaitStatus) -> bool {
        let is_its = self.running() == Some(pid);
        if is_its {
            self.end = Some(ended(status));
        }
        is_its
    }

    /// Looks for its exit status, and for no other's.
    pub fn look(&mut self) {
        if let Some(pid) = self.running()
            && let Ok(Some((pid, status))) = waitpid(Some(pid), WaitOptions::NOHANG)
        {
            self.take_status(pid, status);
        }
    }
}

/// How a program ended.
fn ended(status: WaitStatus) -> Ended {
    match status.terminating_signal() {
        Some(signal) => Ended::Signal(signal as u8),
        None => Ended::Code(status.exit_status().unwrap_or(0) as u8),
    }
}
