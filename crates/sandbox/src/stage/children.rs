//! The processes that init starts in the tree, and their ends.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use crate::protocol::Setup;

/// Where programs are looked for, as in Docker.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Gives a command the variables that the caller wants it to have, and no others.
pub fn prepare<'a>(command: &'a mut Command, setup: &Setup) -> &'a mut Command {
    let env = setup.world.env.iter().map(|(key, value)| (key, value));
    command.env_clear().env("PATH", PATH).env("HOME", "/root").envs(env).current_dir("/")
}

/// Waits for one child; others that end meanwhile are orphans that nobody else waits for.
pub fn wait_for(child: Pid) -> rustix::io::Result<ExitStatus> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == child => return Ok(ExitStatus::from_raw(status.as_raw())),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Ends every process in the pid namespace but this one: what a script has left running would go on changing the tree.
pub fn end_all() -> rustix::io::Result<()> {
    loop {
        // To the group of init is to everybody: kill(2) takes -1 for that.
        match rustix::process::kill_process_group(Pid::INIT, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error),
        }
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
