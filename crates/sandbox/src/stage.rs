//! The inner processes. They are the same program, executed again under another name.

mod call;
mod capabilities;
mod children;
mod devices;
mod disk;
mod guard;
mod init;
mod ipc;
mod keeper;
mod limits;
mod made_devices;
mod memory;
mod memory_events;
mod memory_files;
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

use std::fmt::Display;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::process::Signal;

use crate::sys;

/// The name under which the keeper is started.
pub const KEEPER: &str = "nex-sandbox-keeper";

/// The name under which init is started.
const INIT: &str = "nex-sandbox-init";

/// Does the work of an inner process, if this is one: to be called first of all in `main`, before anything is opened and
/// any thread started. Gives the code to exit with.
pub fn enter_stage() -> Option<ExitCode> {
    let name = std::env::args_os().next()?;
    let ended = match name.to_str()? {
        KEEPER => keeper::run(),
        INIT => init::run(),
        _ => return None,
    };
    Some(ended.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

/// Whether the keeper can be told of system calls here.
pub fn may_be_told() -> bool {
    seccomp::told(seccomp::Told { ids: true, sockets: true }).is_ok_and(sys::may_listen)
}

/// The line to the process above, which is where standard input would be.
fn line_up() -> io::Result<UnixStream> {
    Ok(UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?))
}

/// Has the kernel kill this process when the thread above it ends. To be called again after each change of credentials,
/// which undoes it; who is above must be seen to live after that.
fn die_with_parent() -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
}

/// Names the step that failed.
fn doing<E: Display>(step: impl Display) -> impl FnOnce(E) -> String {
    move |error| format!("{step}: {error}")
}
