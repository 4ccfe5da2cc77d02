//! The probe: a process that runs a machine of a few instructions, and is killed when that takes too long.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nex_process::Role;

use super::Verdict;
use crate::process::Process;

/// The machine takes milliseconds. Where the host emulates the processor's help for KVM, it takes seconds, and a kernel that
/// boots in one would take an hour.
const PATIENCE: Duration = Duration::from_secs(2);

/// Does the work of [`Role::KvmProbe`], and gives the code to exit with.
pub fn run_probe() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody else reads it.
            let _ = io::stderr().write_all(why.as_bytes());
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn work() -> Result<(), String> {
    super::machine::run()
}

/// There is no such machine for other processors: the first guest will show.
#[cfg(not(target_arch = "x86_64"))]
fn work() -> Result<(), String> {
    Ok(())
}

/// Runs the probe.
pub fn run() -> Verdict {
    let mut command = Role::KvmProbe.command();
    command.env_clear();
    // Where no process can be had, there is nothing to be said against KVM.
    let Ok(mut process) = Process::start(command, &[]) else { return Verdict::Unproven };
    match process.wait(Instant::now() + PATIENCE) {
        Ok(Some(status)) if status.success() => Verdict::Unproven,
        Ok(Some(_)) => Verdict::Fails(nex_text::in_one_line(process.said())),
        Ok(None) => Verdict::Fails(format!("four million instructions take it longer than {} s", PATIENCE.as_secs())),
        Err(_) => Verdict::Unproven,
    }
}
