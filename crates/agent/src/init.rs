//! The agent as process 1.

use std::convert::Infallible;
use std::time::Duration;

use nix::sys::reboot::set_cad_enabled;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use crate::console::{open_standard_streams, say};
use crate::signals::{Event, Signals};
use crate::{READY, mounts, shutdown};

/// Sets the machine up, says so, and serves until it is asked to end the machine. Never returns: the kernel panics when
/// its init does.
pub fn run() -> ! {
    let signals = Signals::of_init();
    let problems = mounts::mount_all();
    open_standard_streams();
    for problem in problems {
        say(&format!("nex-agent: {problem}"));
    }
    // Ctrl-Alt-Del shall arrive as SIGINT instead of a reset at once. Not in a container's process namespace, where the
    // kernel refuses.
    let _ = set_cad_enabled(false);
    say(READY);
    match signals.and_then(|signals| serve(&signals)) {
        Ok(never) => match never {},
        Err(error) => serve_without_signals(error),
    }
}

/// Reaps whatever ends, for ever, and ends the machine when asked to.
fn serve(signals: &Signals) -> nix::Result<Infallible> {
    loop {
        match signals.wait()? {
            Event::ChildEnded => {
                reap();
            }
            Event::End(signal) => {
                say(&format!("nex-agent: {} received, ending", signal.as_str()));
                shutdown::run();
            }
        }
    }
}

/// Takes the exit status of every child that has ended. Signals merge, so one of them may stand for many children.
pub fn reap() -> Children {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return Children::Some,
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(_) => return Children::None,
        }
    }
}

/// Whether the init still has children.
#[derive(PartialEq, Eq)]
pub enum Children {
    /// At least one runs.
    Some,
    /// None is left.
    None,
}

/// Keeps the guest alive where it cannot be told to end: orphans are still reaped, by looking now and then.
fn serve_without_signals(error: nix::Error) -> ! {
    say(&format!("nex-agent: cannot wait for signals: {error}; end the machine from outside"));
    loop {
        reap();
        std::thread::sleep(Duration::from_secs(1));
    }
}
