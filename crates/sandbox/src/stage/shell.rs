//! The shell that follows the scripts, and its terminal.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};

use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use rustix::pty::OpenptFlags;

use super::{children, doing};
use crate::failure::{Advice, Failure};
use crate::protocol::{Report, Setup};
use crate::sys;
use crate::wire::{Channel, send_files};

/// The shells that are tried, the most comfortable first.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// A pseudoterminal of the tree's own `/dev/pts`, of which the caller has the other side.
///
/// So programs in the tree find it by its name, and nothing that they do to it reaches the terminal of the host but what
/// they write to it.
pub struct Terminal {
    kind: String,
    other_side: OwnedFd,
}

impl Terminal {
    /// Opens one of this kind (`TERM`), and gives the other side to the caller: before any script runs, which could put
    /// something else in its place.
    pub fn open(kind: &str, caller: OwnedFd) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let other_side = rustix::fs::open("/dev/pts/ptmx", flags, Mode::empty())?;
        rustix::pty::unlockpt(&other_side)?;
        send_files(&UnixStream::from(caller), &[other_side.as_fd()])?;
        Ok(Self { kind: kind.into(), other_side })
    }

    /// The side for programs. Whatever a script has made of the terminal's name is not asked.
    fn side_for_programs(&self) -> io::Result<OwnedFd> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        Ok(rustix::pty::ioctl_tiocgptpeer(&self.other_side, flags)?)
    }
}

/// Runs the shell, and ends everything that it leaves running.
pub fn run(monitor: &mut Channel, setup: &Setup, terminal: Terminal) -> Result<(), Failure> {
    let side = terminal.side_for_programs().map_err(doing("opening the shell's terminal"))?;
    // From here on nobody writes to the scripts' output, and who reads it comes to its end.
    let output = rustix::stdio::dup2_stdout(&side).and_then(|()| rustix::stdio::dup2_stderr(&side));
    output.map_err(doing("closing the scripts' output"))?;
    monitor.send_now(&Report::Shell).map_err(doing("speaking to the monitor"))?;
    let child = start(setup, &terminal.kind, &side).map_err(|failure| failure.within("starting a shell"))?;
    children::wait_for(Pid::from_child(&child)).map_err(doing("waiting for the shell"))?;
    children::end_all().map_err(doing("ending what the shell has left running"))?;
    monitor.send_now(&Report::ShellEnded).map_err(doing("speaking to the monitor"))
}

fn start(setup: &Setup, kind: &str, side: &OwnedFd) -> Result<Child, Failure> {
    let mut last = io::Error::from(io::ErrorKind::NotFound).into();
    for path in SHELLS {
        let mut command = Command::new(path);
        children::prepare(&mut command, setup).env("TERM", kind);
        command.stdin(side.try_clone()?).stdout(side.try_clone()?).stderr(side.try_clone()?);
        match sys::controlled_by_its_input(&mut command).spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let advice = Advice::Words(format!("the image must have one, such as {path}"));
                last = Failure { advice: Some(advice), ..error.into() };
            }
            started => return Ok(started?),
        }
    }
    Err(last)
}
