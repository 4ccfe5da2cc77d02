//! The inner processes. They are the same program, executed again under another name.

mod call;
mod capabilities;
mod children;
mod devices;
mod disk;
mod guard;
mod init;
mod ipc;
mod limits;
mod made_devices;
mod memory;
mod memory_events;
mod memory_files;
mod monitor;
mod mounts;
mod open_files;
mod preallocation;
mod proc;
mod program;
mod refusals;
mod root;
mod sampler;
pub mod scopes;
mod script_lines;
mod scripts;
mod seccomp;
mod settings;
mod setup_files;
mod shared_mappings;
mod shell;
mod sock_diag;
mod socket_memory;
mod sockets;
mod supervisor;
mod syscalls;
mod tasks;
mod uncounted;
mod user_limits;
mod waiting;
mod watch;
mod worker;

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use nex_fault::whole;
use rustix::process::Signal;

use crate::failure::Failure;
use crate::sys;

/// Does the work of `Role::SandboxMonitor`, and gives the code to exit with.
pub fn run_monitor() -> ExitCode {
    code(&monitor::run())
}

/// Does the work of `Role::SandboxInit`, and gives the code to exit with.
pub fn run_init() -> ExitCode {
    code(&init::run())
}

fn code(ended: &io::Result<()>) -> ExitCode {
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the monitor can be told of system calls here.
pub fn can_listen() -> bool {
    seccomp::notify(seccomp::Notified { ids: true, sockets: true }).is_ok_and(sys::may_listen)
}

/// The line to the process above, which is where standard input would be.
fn line_up() -> io::Result<UnixStream> {
    Ok(UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?))
}

/// Has the kernel kill this process when the thread above it ends: the `Parent` that the caller keeps, or the first thread of the
/// monitor. To be called again after each change of credentials, which undoes it; who is above must be seen to live after that.
fn die_with_parent() -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
}

/// Names the step that failed.
fn doing<E: Error>(step: impl Display) -> impl FnOnce(E) -> Failure {
    move |error| format!("{step}: {}", whole(&error)).into()
}
