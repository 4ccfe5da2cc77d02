//! `nex run`: by a supervisor, which is a process of its own; this one is its client.

use nex_guest::Overlay;

use super::args::RunArgs;
use super::options::{failed, failure, grace, options};
use super::{detached, foreground};
use crate::commands::config;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::{self, Interrupt, Process};

/// Runs the program, and ends as it has ended, or by the signal that has ended it; or starts it, and prints the guest's id.
///
/// # Errors
/// When there is no guest, or it cannot be followed.
pub fn run(args: &RunArgs, process: &Process) -> Result<End, Diagnostic> {
    if args.guest.print_vm_config {
        return describe(args, process);
    }
    let interrupt = Interrupt::catch().and_then(|interrupt| {
        interrupt::end_when_overdue(grace(args), process)?;
        Ok(interrupt)
    });
    let interrupt = interrupt.map_err(|error| failed(Diagnostic::system(error)))?;
    match args.detach {
        true => detached::run(args, interrupt),
        false => foreground::run(args, process, interrupt),
    }
}

/// Shows what the guest would be started with.
fn describe(args: &RunArgs, process: &Process) -> Result<End, Diagnostic> {
    let mut options = options(args, process).map_err(failed)?;
    options.machine.overlay = options.machine.overlay.map(Overlay::unmade);
    let description = nex_run::describe(&options).map_err(|error| failure(&error))?;
    config::print(&description, args.format).map_err(failed)?;
    Ok(End::DONE)
}
