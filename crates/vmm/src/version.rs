//! Asks a VMM's program for its version. It may be any program: who never ends, or never stops talking, is not listened to.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::process::{Process, is_readable};

/// How long it may take. A machine whose disk is busy takes some seconds to load QEMU.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most that is read, in bytes.
const LONGEST: usize = 4096;

/// What a program says to `--version`.
///
/// # Errors
/// When it cannot be executed, or does not end.
pub fn ask(program: &Path) -> Result<String, Error> {
    ask_within(program, PATIENCE).map_err(|cause| Error::Run { program: program.into(), cause })
}

fn ask_within(program: &Path, patience: Duration) -> io::Result<String> {
    let deadline = Instant::now() + patience;
    let late = || io::Error::new(io::ErrorKind::TimedOut, "it does not answer --version");
    let mut command = Command::new(program);
    command.arg("--version");
    let mut process = Process::start(command, &[])?;
    let (mut output, mut buffer) = (Vec::new(), [0; LONGEST]);
    while output.len() < LONGEST {
        if !is_readable(process.output.as_fd(), deadline)? {
            return Err(late());
        }
        match process.output.read(&mut buffer)? {
            0 => break,
            count => output.extend_from_slice(&buffer[..count]),
        }
    }
    output.truncate(LONGEST);
    Ok(String::from_utf8_lossy(&output).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn answer(does: &str) -> io::Result<String> {
        let directory = tempfile::tempdir()?;
        let program = directory.path().join("program");
        fs::write(&program, format!("#!/bin/sh\n{does}\n"))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        ask_within(&program, Duration::from_secs(5))
    }

    #[test]
    fn who_never_ends_is_not_waited_for() -> io::Result<()> {
        assert_eq!(answer("echo \"$1\"; echo words >&2")?, "--version\n");
        assert_eq!(answer("while :; do echo again; done")?.len(), LONGEST);
        let started = Instant::now();
        assert_eq!(answer("exec >&-; exec sleep 600")?, "");
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
        assert_eq!(answer("exec sleep 600").map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
        Ok(())
    }
}
