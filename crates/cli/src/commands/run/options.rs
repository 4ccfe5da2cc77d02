//! From the arguments of a run to what it is made of, and to how it fails.

use std::ffi::OsString;
use std::time::Duration;

use nex_contract::{Stdin, Terminal, TerminalSize};
use nex_guest::{Overlay, Root};
use nex_run::{Bounds, Error, Options, Overrides};

use super::args::RunArgs;
use crate::commands::kernel;
use crate::diagnostic::Diagnostic;
use crate::interrupt::{Grace, Process};

/// How much longer than asked for nex may take to end a run.
const MARGIN: Duration = Duration::from_secs(20);

/// How long nex may take to kill a guest.
const LAST_WORDS: Duration = Duration::from_secs(2);

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
