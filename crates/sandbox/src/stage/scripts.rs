//! Runs the scripts, one after the other.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::Pid;

use super::{children, doing, setup_files};
use crate::Script;
use crate::failure::{Advice, Failure};
use crate::protocol::{Report, Setup};
use crate::wire::Channel;

/// Runs all of them, or up to the first that fails.
pub fn run(monitor: &mut Channel, setup: &Setup) -> Result<(), Failure> {
    for (number, script) in setup.world.scripts.iter().enumerate() {
        let path = setup_files::script_path(number, script);
        let file = std::fs::metadata(path).map_err(doing("looking for the script"))?;
        let begins = Report::Began { script: number, file: (file.dev(), file.ino()) };
        monitor.send_now(&begins).map_err(doing("speaking to the monitor"))?;
        let status = run_script(number, script, setup)?;
        let (code, signal) = (status.code(), status.signal());
        let ended = Report::Ended { script: number, status: code.or(signal).unwrap_or(-1), signalled: code.is_none() };
        monitor.send_now(&ended).map_err(doing("speaking to the monitor"))?;
        if !status.success() {
            break;
        }
    }
    Ok(())
}

fn run_script(number: usize, script: &Script, setup: &Setup) -> Result<ExitStatus, Failure> {
    let path = setup_files::script_path(number, script);
    let is_executable = [b"#!".as_slice(), b"\x7fELF"].iter().any(|magic| script.content.starts_with(magic));
    let mut command = if is_executable { Command::new(&path) } else { Command::new("/bin/sh") };
    if !is_executable {
        command.arg(&path);
    }
    let child = children::prepare(&mut command, setup).stdin(Stdio::null()).spawn();
    let child = child.map_err(|error| cannot_start(script, &error))?;
    let status = children::wait_for(Pid::from_child(&child)).map_err(doing("waiting for the script"))?;
    children::end_all().map_err(doing("ending what the script has left running"))?;
    Ok(status)
}

fn cannot_start(script: &Script, error: &io::Error) -> Failure {
    let name = nex_text::short_name(&script.name);
    // The script itself is there: ENOENT is about what runs it, and ENOEXEC too.
    if !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOEXEC)) {
        return format!("starting '{name}': {error}").into();
    }
    let needs = match script.content.strip_prefix(b"#!") {
        Some(line) => {
            let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
            let interpreter = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            format!("its interpreter '{}'", nex_text::short_name(interpreter))
        }
        None if script.content.starts_with(b"\x7fELF") => "what the program needs".into(),
        None => "a shell, /bin/sh".into(),
    };
    let advice = Advice::Words(format!("the image must have {needs}, for this machine"));
    Failure::advised(format!("starting '{name}': {error}"), advice)
}
