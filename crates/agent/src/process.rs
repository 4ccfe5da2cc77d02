//! A program's first process, from its start to its exit status.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nex_contract::Unstarted;
use nex_protocol::Ended;
use nix::libc;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, waitpid};

use crate::execution::Beginning;

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
    beginning: Beginning,
    end: Option<Ended>,
    unstarted: Option<Unstarted>,
}

impl Process {
    /// A child that has just been started.
    ///
    /// # Errors
    /// When the kernel gives no descriptor of it (before Linux 5.3), where one is needed.
    pub fn new(pid: Pid, beginning: Beginning, children: Children) -> std::io::Result<Self> {
        let mut process = Self { pid, descriptor: None, beginning, end: None, unstarted: None };
        if children == Children::Own {
            match pidfd_open(pid, PidfdFlags::empty()) {
                Ok(descriptor) => process.descriptor = Some(descriptor),
                Err(error) => {
                    process.bury();
                    return Err(error.into());
                }
            }
        }
        Ok(process)
    }

    /// Waits until the program is executed, no longer than this.
    ///
    /// # Errors
    /// When it is not executed, which is known by then. The process has ended, and its exit status is taken.
    pub fn wait_for_beginning(&mut self, patience: Duration) -> Result<(), Unstarted> {
        if self.beginning.is_known(patience)
            && let Some(unstarted) = self.beginning.failure()
        {
            self.bury();
            return Err(unstarted);
        }
        Ok(())
    }

    /// Why it has ended without becoming its program, if that is so.
    pub fn unstarted(&self) -> Option<&Unstarted> {
        self.unstarted.as_ref()
    }

    /// Kills it, as somebody may have stopped it, and takes its exit status.
    fn bury(&self) {
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = waitpid(Some(self.pid), WaitOptions::empty());
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
            self.unstarted = self.beginning.failure();
            self.end = Some(match &self.unstarted {
                Some(unstarted) => Ended::Unstarted(unstarted.code),
                None => ended(status),
            });
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
