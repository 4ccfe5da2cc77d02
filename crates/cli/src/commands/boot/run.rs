//! `nex rootfs boot`: from arguments to a boot, and from its report to the user.

use std::io::{self, IsTerminal, Write};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use nex_boot::codes::NOT_READY;
use nex_boot::{Options, Outcome, ReadyWhen, Report, Watcher};
use nex_diagnose::CheckOptions;
use nex_fault::Setting;
use nex_guest::{Overlay, Root, VmmReport};
use nex_terminal::Lent;
use nex_text::printable;

use super::args::BootArgs;
use super::render;
use crate::args::format::Format;
use crate::codes::INTERRUPTED;
use crate::commands::{config, explain, kernel};
use crate::console::Console;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::{self, Grace, Interrupt, Process};
use crate::output;
use crate::output::{tell, tell_lines};
use crate::warnings::Warnings;

/// Boots the root filesystem, and reports it.
///
/// # Errors
/// When the guest is not ready.
pub fn run(args: &BootArgs, process: &Process) -> Result<End, Diagnostic> {
    let root = Root::open(&args.file).map_err(nex_guest::Error::from)?;
    let kernel = kernel::default::kernel(&args.guest.machine, args.guest.vmm, &root, "boot")?;
    let mut options = options(args, root, kernel, process);
    if args.guest.print_vm_config {
        options.machine.overlay = options.machine.overlay.map(Overlay::unmade);
        config::print(&nex_boot::describe(&options)?, args.format)?;
        return Ok(End::DONE);
    }
    let mut user = User {
        interrupt: Interrupt::catch()
            .and_then(|interrupt| {
                interrupt::end_when_overdue(Grace::CLEAN_UP, process)?;
                Ok(interrupt)
            })
            .map_err(Diagnostic::system)?,
        console: match (args.quiet, args.interactive) {
            (true, _) => Console::Nowhere,
            (false, true) => Console::Plain,
            (false, false) => Console::to_look_at(),
        },
        terminal: (args.interactive && io::stdin().is_terminal())
            .then(|| process.terminal.lend())
            .transpose()
            .map_err(Diagnostic::system)?,
        warnings: Warnings::default(),
    };
    if args.interactive {
        tell_unread_console(args, &options.root);
    }
    let report = nex_boot::boot(&options, &mut user);
    user.done();
    let report = report.map_err(|error| user.interrupt.blamed_for(error.into()))?;
    let Some(report) = report else {
        let name = user.interrupt.came().map_or("a signal", interrupt::name);
        let ended = Diagnostic::new(INTERRUPTED, format!("interrupted by {name}; the guest is ended"));
        return Err(user.interrupt.blamed_for(ended));
    };
    user.warnings.give(&report.vmm);
    // First why, then all that there is to know.
    if let Some(explanation) = report.explanation.as_ref().filter(|_| args.format == Format::Text) {
        tell_lines(&explain::render::explanation(explanation, None));
    }
    let text = match args.format {
        Format::Text => render::boot(&report),
        Format::Json => output::in_json(&report)?,
    };
    output::print("the report", &text)?;
    match user.interrupt.came() {
        // It came when the guest had ended.
        Some(signal) => Ok(End::Signal(signal)),
        None if report.ready => Ok(End::DONE),
        None => Err(Diagnostic::new(NOT_READY, why_not(&report, args)).reported()),
    }
}

/// Says that what is typed goes nowhere, before anybody waits for an answer. What keeps the image from being looked at is said by the boot.
fn tell_unread_console(args: &BootArgs, root: &Root) {
    let init = args.guest.machine.append.split_ascii_whitespace().rev().find_map(|word| word.strip_prefix("init="));
    let options = CheckOptions { init: init.map(|init| init.as_bytes().to_vec()), ..CheckOptions::default() };
    let report = root.read().ok().and_then(|root| nex_diagnose::check(&root, &options).ok());
    if let Some(why) = report.and_then(|report| report.unread_console) {
        output::note(format_args!(
            "nobody reads what you type: {why}; an image with a getty does, or a shell: --append init=/bin/sh. Ctrl-A x ends the guest"
        ));
    }
}

fn options(args: &BootArgs, root: Root, kernel: PathBuf, process: &Process) -> Options {
    Options {
        root,
        machine: args.guest.machine.options(
            kernel,
            args.overlay_drive.overlay_drive.clone().or(args.overlay.then_some(Overlay::Memory)),
            args.verity.hash_tree(),
        ),
        vmm: args.guest.vmm(&process.workspace),
        check: !args.no_check,
        ready: match (&args.ready, args.ready_after) {
            (Some(pattern), _) => ReadyWhen::Line(pattern.clone()),
            (None, Some(time)) => ReadyWhen::After(time),
            (None, None) => ReadyWhen::Agent,
        },
        timeout: args.timeout,
        interactive: args.interactive,
    }
}

fn why_not(report: &Report, args: &BootArgs) -> String {
    let (who, did, had) = match (&args.ready, args.ready_after) {
        (Some(_), _) => ("guest", "write a line that --ready matches", "written a line that --ready matches"),
        (None, Some(_)) => ("guest", "run for as long as --ready-after says", "run for as long as --ready-after says"),
        (None, None) => ("agent", "report", "reported"),
    };
    let what = match report.outcome {
        Outcome::Timeout => format!("did not {did} within {} s (--timeout gives it longer)", args.timeout.as_secs()),
        Outcome::Quit => format!("had not {had} when you ended the guest"),
        Outcome::Ended | Outcome::Ready => format!("did not {did} before the guest ended"),
    };
    let failure = report.failure.iter().map(|failure| format!("; its last failure: {failure}"));
    let notes = report.notes.iter().map(|note| format!("; {}", note.words(Setting::flag)));
    let why: String = failure.chain(notes).map(printable).collect();
    format!("the {who} of '{}' {what}{why}", report.file)
}

/// The user before the guest.
struct User {
    interrupt: Interrupt,
    console: Console,
    terminal: Option<Lent>,
    warnings: Warnings,
}

impl User {
    /// The guest has ended: the terminal is the user's own again.
    fn done(&mut self) {
        self.terminal = None;
        self.console.finish();
    }
}

impl Watcher for User {
    fn started(&mut self, vmm: &VmmReport) {
        if !matches!(self.console, Console::Nowhere) {
            tell(format_args!("boot: {} ({})", vmm.name, vmm.why));
        }
        self.warnings.give(vmm);
    }

    fn console(&mut self, bytes: &[u8]) {
        // Who does not take it has had enough of it.
        let _ = self.console.write_all(bytes);
    }

    fn keyboard(&self) -> Option<BorrowedFd<'_>> {
        Some(rustix::stdio::stdin())
    }

    fn read_keyboard(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), buffer)?)
    }

    fn unattended(&mut self) {
        tell("boot: standard input has ended, and nobody can type any more: nex ends the guest");
    }

    fn interrupt(&self) -> BorrowedFd<'_> {
        self.interrupt.file()
    }
}
