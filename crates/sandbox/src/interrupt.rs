//! The end of a run when the process is told to end.

use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use crate::work_dir::remove_empty;

/// How long a keeper may take to remove its tree; what it does not get done is left to the next run.
const PATIENCE: Timespec = Timespec { tv_sec: 8, tv_nsec: 0 };

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static ACTIVE: Mutex<Vec<Active>> = Mutex::new(Vec::new());

/// A keeper that works.
struct Active {
    pid: Pid,
    process: OwnedFd,
    socket: UnixStream,
    run: PathBuf,
}

/// Ends the runs of this process, removes their trees, and gives the terminal back. For the moment before the process ends at a signal: from then
/// on, whoever waits for a run waits for ever.
pub fn end_runs() {
    INTERRUPTED.store(true, Ordering::SeqCst);
    nex_terminal::give_back();
    for active in ACTIVE.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // The keeper notices that nobody listens any more. What fails here is made good by the next run.
        active.socket.shutdown(Shutdown::Both).ok();
        rustix::event::poll(&mut [PollFd::new(&active.process, PollFlags::IN)], Some(&PATIENCE)).ok();
        remove_empty(&active.run).ok();
    }
}

/// Keeps account of a keeper.
pub fn began(pid: Pid, socket: &UnixStream, run: &Path) -> std::io::Result<()> {
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let active = Active { pid, process, socket: socket.try_clone()?, run: run.into() };
    ACTIVE.lock().unwrap_or_else(PoisonError::into_inner).push(active);
    Ok(())
}

/// Forgets a keeper. Does not return when the process is about to end: its runs are being ended by another thread.
pub fn ended(pid: Pid) {
    while INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::park();
    }
    ACTIVE.lock().unwrap_or_else(PoisonError::into_inner).retain(|active| active.pid != pid);
}
