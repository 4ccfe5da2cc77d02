//! A pid namespace around a program that becomes another user's, and so loses the signal that ends it with us.
//!
//! ```text
//! nex ── init, which stays our user's and ends with us ── the program, and all that it starts
//! ```
//!
//! When an init ends, the kernel kills all that is in its namespace, lets nobody fork any more, and waits for the last one, before
//! it tells of the init's own end. So nothing that was started in there outlives us or escapes, whatever its user, its root
//! directory and its parent are, and how fast it forks. There is nothing to be looked for.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsFd;
use std::ptr;

use rustix::process::{PidfdFlags, Signal, WaitOptions};
use rustix::thread::{ThreadNameSpaceType, UnshareFlags};

/// What a process ends with by the signal of this number, as shells have it, beside its code.
const BY_SIGNAL: i32 = 128;

/// Runs what starts a process, so that this process is the first of a new pid namespace. The calling thread can start no other thread
/// meanwhile, so it is one that does nothing else.
///
/// # Errors
/// When the kernel gives none, as to others than root.
pub fn within_new<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    // SAFETY: it changes in which namespace children of this thread begin, and nothing of this process.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWPID) }?;
    let started = start();
    // Those that come later begin where we are.
    rustix::thread::move_into_thread_name_spaces(own.as_fd(), ThreadNameSpaceType::PROCESS_ID)?;
    started
}

/// Our own number, as `/proc` has it.
///
/// # Errors
/// When there is no `/proc`.
pub fn own_number() -> io::Result<i32> {
    let number = std::fs::read_link("/proc/self")?;
    number.to_str().and_then(|number| number.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// To be called in the first process of a namespace, between fork and exec: that one becomes the init, which ends with its
/// parent, and the call returns in a child of it, which executes the program.
///
/// # Errors
/// When the system gives no process, or the parent has ended.
pub fn hold(parent: i32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // Who has died before that call sends no signal any more. Of a parent outside, getppid(2) tells nothing in here.
    if parent_number()? != parent {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: both processes make nothing but system calls from here on, until one ends and the other executes the program.
    match unsafe { libc::fork() } {
        0 => Ok(()),
        program if program > 0 => init(program),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits for the program, and ends as it did. It has nothing open, so that the console is closed when the program has ended.
fn init(program: i32) -> ! {
    let _ = rustix::thread::set_name(c"nex-vmm-init");
    block_signals();
    close_all();
    let code = loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((process, status))) if process.as_raw_nonzero().get() == program => {
                let by_signal = status.terminating_signal().map(|signal| BY_SIGNAL + signal);
                break status.exit_status().or(by_signal).unwrap_or(BY_SIGNAL);
            }
            // Another one, whose parent has ended before.
            Ok(_) => {}
            Err(_) => break BY_SIGNAL,
        }
    };
    // SAFETY: it ends, and runs nothing that others have left to be run at the end.
    unsafe { libc::_exit(code) }
}

/// What this program does on signals, it does for itself, and not here. From outside nothing but SIGKILL and SIGSTOP comes through.
fn block_signals() {
    // SAFETY: a set of signals is plain memory, which is filled before it is read.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, ptr::null_mut());
    }
}

fn close_all() {
    // SAFETY: nothing of this process uses a descriptor any more.
    unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
}

/// The number of our parent, as `/proc` has it. Without memory of its own, which a child of a process with threads may not
/// ask for.
fn parent_number() -> io::Result<i32> {
    let file = rustix::fs::open(c"/proc/self/stat", rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    let mut buffer = [0; 512];
    let count = rustix::io::read(&file, &mut buffer)?;
    let text = buffer.get(..count).unwrap_or_default();
    // "2 (the name) S 1 ...": a name may have anything in it, and what comes behind has no bracket.
    let fields = text.rsplit(|byte| *byte == b')').next().unwrap_or_default();
    let parent = fields.split(|byte| *byte == b' ').nth(2).and_then(|field| std::str::from_utf8(field).ok());
    parent.and_then(|parent| parent.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
