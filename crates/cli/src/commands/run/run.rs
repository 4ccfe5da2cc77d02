//! `nex run`: by a supervisor, which is a process of its own; this one is its client.

use std::ffi::OsString;
use std::time::Duration;

use nex_contract::{Stdin, Terminal, TerminalSize};
use nex_guest::{Overlay, Root};
use nex_run::{Bounds, Error, Options, Overrides};

use super::args::RunArgs;
use super::{detached, foreground};
use crate::args::common::CommonArgs;
use crate::commands::{config, kernel};
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::{self, Grace, Interrupt, Process};

/// How much longer than asked for nex may take to end a run.
const MARGIN: Duration = Duration::from_secs(20);

/// How long nex may take to kill a guest.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs the program, and ends as it has ended, or by the signal that has ended it; or starts it, and prints the guest's id.
///
/// # Errors
/// When there is no guest, or it cannot be followed.
pub fn run(args: &RunArgs, common: &CommonArgs, process: &Process) -> Result<End, Diagnostic> {
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
        false => foreground::run(args, common, process, interrupt),
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

/// How long a run may take to end.
pub fn grace(args: &RunArgs) -> Grace {
    Grace { first: args.stop_timeout.saturating_add(MARGIN), second: Some(LAST_WORDS) }
}

/// A failure of nex's own.
pub fn failed(diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.with_exit_code(nex_run::FAILED)
}

/// Why there is nothing to report, and how nex ends then.
pub fn failure(error: &Error) -> Diagnostic {
    match error {
        Error::Stopped(signal) => Diagnostic::of(error).by_signal((*signal).into()),
        _ => Diagnostic::of(error).with_exit_code(error.exit_code()),
    }
}

/// What is run, and in what.
///
/// # Errors
/// When the root or the kernel cannot be opened, or an argument is no text.
pub fn options(args: &RunArgs, process: &Process) -> Result<Options, Diagnostic> {
    let overlay = args.overlay.overlay_drive.clone().unwrap_or(Overlay::Memory);
    let root = Root::open(&args.rootfs).map_err(nex_guest::Error::from)?;
    let kernel = kernel::default::kernel(&args.guest.machine, args.guest.vmm, &root, "run")?;
    // The client says how large its terminal is when it connects with the program.
    let terminal = || Terminal { size: TerminalSize::default(), term: terminal_type() };
    Ok(Options {
        root,
        machine: args.guest.machine.options(kernel, Some(overlay), args.verity.hash_tree()),
        vmm: args.guest.vmm(&process.workspace),
        program: args.binary.clone(),
        overrides: Overrides {
            args: args.args.iter().map(text).collect::<Result<_, _>>()?,
            env: args.env.clone(),
            user: args.user.clone(),
            working_dir: args.workdir.clone(),
            open_files: args.open_files,
            restart: args.restart,
            stdin: if args.interactive { Stdin::Stream } else { Stdin::Null },
            terminal: args.tty.then(terminal),
        },
        check: !args.no_check,
        bounds: Bounds { boot: args.boot_timeout, run: args.timeout, stop: args.stop_timeout },
    })
}

/// What the caller's terminal understands, as far as it is a name.
fn terminal_type() -> String {
    let name = std::env::var("TERM").unwrap_or_default();
    if name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic()) { name } else { String::new() }
}

fn text(argument: &OsString) -> Result<String, Diagnostic> {
    let text = argument.to_str().map(str::to_owned);
    text.ok_or_else(|| Diagnostic::usage(format!("the argument {argument:?} is not UTF-8, which arguments have to be")))
}
