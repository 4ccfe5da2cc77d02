//! How a new process becomes a program, and how the agent learns of it without waiting.
//!
//! A process that becomes a user's program is that user's before it executes the program, and any process of that user may stop it then.
//! So the agent waits for none: the new process writes to a pipe why it did not become the program, and the pipe closes when it did.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nex_contract::{NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, Unstarted};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{ForkResult, fork};
use rustix::process::Pid;

/// What the new process says: how far it came, and the number of the error.
type Report = [u8; 5];

/// How far a process came that did not become its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It could not be prepared.
    Preparation = 0,
    /// It was ready, and the kernel did not execute the program.
    Execution = 1,
}

/// The agent's end of the pipe from a process that is to become a program.
#[derive(Debug)]
pub struct Beginning {
    reader: PipeReader,
    program: PathBuf,
}

impl Beginning {
    /// Why the process did not become the program. `None` if it did, was ended before, or has not come so far yet.
    pub fn failure(&mut self) -> Option<Unstarted> {
        if !self.is_known(Duration::ZERO) {
            return None;
        }
        let mut report = Report::default();
        self.reader.read_exact(&mut report).ok()?;
        let [step, errno @ ..] = report;
        let step = if step == Step::Execution as u8 { Step::Execution } else { Step::Preparation };
        Some(refused(&self.program, step, &io::Error::from_raw_os_error(i32::from_le_bytes(errno))))
    }

    /// Waits until the process has become the program or has failed, no longer than this. Returns whether it has.
    pub fn is_known(&self, patience: Duration) -> bool {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        poll(&mut [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)], timeout).is_ok_and(|ready| ready > 0)
    }
}

/// Starts a process that executes the command, and does not wait until it has.
///
/// # Errors
/// When there is no room for the process.
#[allow(unsafe_code, reason = "the standard library waits until the program is executed")]
pub fn start(command: Command, program: PathBuf) -> io::Result<(Pid, Beginning)> {
    let (reader, mut writer) = io::pipe()?;
    // SAFETY: the child uses memory, which the C libraries keep usable in it, and nothing else that another thread may hold.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            let pid = Pid::from_raw(child.as_raw()).ok_or(io::ErrorKind::Other)?;
            Ok((pid, Beginning { reader, program }))
        }
        ForkResult::Child => {
            let (step, error) = execute(command);
            let [a, b, c, d] = error.raw_os_error().unwrap_or(libc::EINVAL).to_le_bytes();
            let _ = writer.write_all(&[step as u8, a, b, c, d]);
            // SAFETY: the call ends the process, and runs nothing of the parent's.
            unsafe { libc::_exit(NOT_STARTED.into()) }
        }
    }
}

/// Has this process become the program, and returns only why that fails.
pub fn become_program(command: Command, program: &Path) -> Unstarted {
    let (step, error) = execute(command);
    refused(program, step, &error)
}

#[allow(unsafe_code, reason = "the standard library does not say whether the preparation or the execution failed")]
fn execute(mut command: Command) -> (Step, io::Error) {
    let is_prepared = Arc::new(AtomicBool::new(false));
    let last = is_prepared.clone();
    // SAFETY: the closure writes one value.
    unsafe {
        command.pre_exec(move || {
            last.store(true, Ordering::Relaxed);
            Ok(())
        });
    }
    let error = command.exec();
    (if is_prepared.load(Ordering::Relaxed) { Step::Execution } else { Step::Preparation }, error)
}

/// What the kernel's refusal means.
fn refused(program: &Path, step: Step, error: &io::Error) -> Unstarted {
    let shown = program.display();
    match (step, error.kind()) {
        (Step::Preparation, _) => {
            Unstarted::new(NOT_STARTED, format!("cannot prepare the process of {shown}: {error}"))
        }
        (Step::Execution, io::ErrorKind::NotFound) => {
            Unstarted::new(NOT_FOUND, format!("{shown} is there, but its interpreter or its loader is not"))
        }
        (Step::Execution, io::ErrorKind::PermissionDenied) => {
            Unstarted::new(NOT_EXECUTABLE, format!("{shown} is not executable"))
        }
        (Step::Execution, _) => Unstarted::new(NOT_EXECUTABLE, format!("{shown}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure_of(command: Command, program: &str) -> Option<Unstarted> {
        let (pid, mut beginning) = start(command, program.into()).unwrap();
        assert!(beginning.is_known(Duration::from_secs(10)));
        let failure = beginning.failure();
        rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap();
        failure
    }

    #[test]
    fn what_failed_before_the_execution_is_no_fault_of_the_program() {
        let mut lost = Command::new("/bin/true");
        lost.current_dir("/none/such");
        assert_eq!(failure_of(lost, "/bin/true").unwrap().code, NOT_STARTED);
        assert_eq!(failure_of(Command::new("/none/such"), "/none/such").unwrap().code, NOT_FOUND);
        assert_eq!(failure_of(Command::new("/etc/passwd"), "/etc/passwd").unwrap().code, NOT_EXECUTABLE);
        assert_eq!(failure_of(Command::new("/bin/true"), "/bin/true"), None);
    }
}
