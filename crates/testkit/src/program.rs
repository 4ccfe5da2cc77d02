//! Programs that a test makes and runs at once.
//!
//! Linux runs no file that somebody has open for writing (ETXTBSY). A test that writes one by itself has it open for a moment; if
//! another thread starts a process in that moment, this one inherits the descriptor and keeps it until it executes something. So
//! another process writes here, and has ended before the program is run.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Context;
use crate::{Failure, Result, command};

/// Writes a program that everybody may run, in the place of what stands there.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<()> {
    let path = path.as_ref();
    let mut writer = Command::new("/bin/sh");
    writer.args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).arg(path);
    let mut writer = writer.stdin(Stdio::piped()).spawn().context("cannot run a shell")?;
    // Dropped at the end of the statement, so that the writer sees the end.
    let written = writer.stdin.take().map_or(Ok(()), |mut input| input.write_all(content.as_ref()));
    let status = writer.wait()?;
    written?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("cannot write the program {}", path.display()))) }
}

/// Copies a program, with a mode that lets everybody run it.
///
/// # Errors
/// When it cannot be copied.
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    command::run(Command::new("install").args(["-m", "755", "--"]).arg(from.as_ref()).arg(to.as_ref())).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    /// Of a few hundred that the test writes by itself while processes start, some do not run.
    #[test]
    fn a_program_runs_at_once_whatever_else_starts() {
        let place = tempfile::tempdir().unwrap();
        let (path, is_done) = (place.path().join("program"), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_done.load(Ordering::Relaxed) {
                        Command::new("/bin/true").status().unwrap();
                    }
                });
            }
            let ran = (0..50).try_for_each(|number| -> Result<()> {
                write(&path, format!("#!/bin/sh\necho {number}\n"))?;
                assert_eq!(command::run(&mut Command::new(&path))?, format!("{number}\n").as_bytes());
                copy("/bin/true", &path)?;
                command::run(&mut Command::new(&path)).map(drop)
            });
            is_done.store(true, Ordering::Relaxed);
            ran.unwrap();
        });
    }
}
