//! `nex run`: from arguments to a run, and from its report to the user.

use std::ffi::OsString;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nex_fault::Setting;
use nex_guest::{Overlay, Root, VmmReport};
use nex_run::{Bounds, Error, FollowError, Missing, Options, Overrides, Report, Stop, Stopped, Streams, User};
use signal_hook::consts::SIGINT;

use super::args::RunArgs;
use super::render;
use super::unread_input::UnreadInput;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::commands::{config, explain, kernel};
use crate::console::Console;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::{self, Grace, Interrupt, Process};
use crate::output::{self, StandardError, raw_output, tell, tell_lines};
use crate::warnings::Warnings;

/// How much longer than asked for nex may take to end a run.
const MARGIN: Duration = Duration::from_secs(20);

/// How long nex may take to kill a guest.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs the program, and ends as it has ended, or by the signal that has ended it.
///
/// # Errors
/// When there is no guest, or it cannot be followed.
pub fn run(args: &RunArgs, common: &CommonArgs, process: &Process) -> Result<End, Diagnostic> {
    let failed = |diagnostic: Diagnostic| diagnostic.with_exit_code(nex_run::FAILED);
    let mut options = options(args, process).map_err(failed)?;
    if args.guest.print_vm_config {
        options.machine.overlay = options.machine.overlay.map(Overlay::unmade);
        let description = nex_run::describe(&options).map_err(|error| failure(&error, None))?;
        config::print(&description, args.format).map_err(failed)?;
        return Ok(End::DONE);
    }
    let interrupt = Interrupt::catch().and_then(|interrupt| {
        let grace = Grace { first: args.stop_timeout.saturating_add(MARGIN), second: Some(LAST_WORDS) };
        interrupt::end_when_overdue(grace, process)?;
        Ok(interrupt)
    });
    let mut stop = UserStop(interrupt.map_err(|error| failed(Diagnostic::system(error)))?);
    let mut user = Terminal {
        args,
        is_verbose: common.verbose > 0,
        out: BufWriter::new(raw_output()),
        err: BufWriter::new(StandardError),
        console: Console::to_look_at(),
        warnings: Warnings::default(),
        input: UnreadInput::default(),
    };
    let report = nex_run::run(&options, &mut user, &mut stop).map_err(|error| failure(&error, stop.0.came()))?;
    user.console.finish();
    user.warnings.give(&report.vmm);
    user.input.warn();
    words(&report, args, common).iter().for_each(tell);
    if args.format == Format::Json {
        tell_lines(&output::in_json(&report).map_err(failed)?);
    }
    Ok(end(&report, stop.0.came()))
}

/// Why there is nothing to report, and how nex ends then.
fn failure(error: &Error, signal: Option<i32>) -> Diagnostic {
    let failure = match error {
        // The guest has ended with its session.
        Error::Follow(FollowError::Output(cause)) if cause.kind() == io::ErrorKind::BrokenPipe => Diagnostic::enough(),
        Error::Stopped(signal) => return Diagnostic::of(error).by_signal((*signal).into()),
        _ => Diagnostic::of(error).with_exit_code(error.exit_code()),
    };
    // Ctrl-C at a terminal ends who reads the output, too.
    if signal == Some(SIGINT) { failure.by_signal(SIGINT) } else { failure }
}

/// The program's own end. But a shell stops its loop at Ctrl-C only if nex has died of it.
fn end(report: &Report, signal: Option<i32>) -> End {
    match (signal, report.stopped, report.end) {
        (Some(SIGINT), ..) => End::Signal(SIGINT),
        (_, Some(Stopped::Signal(signal)), None) => End::Signal(signal.into()),
        _ => End::Code(report.exit_code),
    }
}

fn options(args: &RunArgs, process: &Process) -> Result<Options, Diagnostic> {
    let overlay = args.overlay.overlay_drive.clone().unwrap_or(Overlay::Memory);
    let root = Root::open(&args.rootfs).map_err(nex_guest::Error::from)?;
    let kernel = kernel::default::kernel(&args.guest.machine, args.guest.vmm, &root, "run")?;
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
        },
        check: !args.no_check,
        bounds: Bounds { boot: args.boot_timeout, run: args.timeout, stop: args.stop_timeout },
    })
}

fn text(argument: &OsString) -> Result<String, Diagnostic> {
    let text = argument.to_str().map(str::to_owned);
    text.ok_or_else(|| Diagnostic::usage(format!("the argument {argument:?} is not UTF-8, which arguments have to be")))
}

/// What went wrong, and, where that is asked for, what went well.
fn words(report: &Report, args: &RunArgs, common: &CommonArgs) -> Vec<String> {
    let mut words = Vec::new();
    if !report.console.is_empty() && !args.console {
        words.push("the console's last lines (--console shows all of it):".to_owned());
        words.extend(report.console.iter().map(|line| format!("  {line}")));
    }
    if let Some(explanation) = &report.explanation {
        words.extend(explain::render::explanation(explanation, None).lines().map(str::to_owned));
    }
    let Missing { dropped_bytes, lost_lines, damaged_lines, out_of_order } = report.missing;
    if report.missing.is_some() {
        words.push(format!(
            "warning: some of the program's output is missing or another's: {dropped_bytes} bytes were dropped in the guest, {lost_lines} \
             lines were lost, {damaged_lines} were damaged by other lines on the console, {out_of_order} times lines were out \
             of order, as when the guest shows those of another boot"
        ));
    }
    if common.verbose > 0 {
        let agent = report.agent_failures.iter().chain(&report.agent_notes);
        words.extend(agent.map(|text| format!("run: the agent: {text}")));
        words.push(format!("run: {}", render::run(report)));
    }
    if let Some(failure) = &report.failure {
        let hint = report.hint.as_ref().map(|hint| format!("; {}", hint.words(Setting::flag)));
        words.push(format!("error: {failure}{}", hint.unwrap_or_default()));
    }
    words
}

/// The user's terminal, or whatever is in its place.
struct Terminal<'a> {
    args: &'a RunArgs,
    is_verbose: bool,
    out: BufWriter<StdoutLock<'static>>,
    err: BufWriter<StandardError>,
    console: Console,
    warnings: Warnings,
    input: UnreadInput,
}

impl User for Terminal<'_> {
    fn started(&mut self, vmm: &VmmReport) {
        if self.is_verbose {
            tell(format_args!("run: {} ({})", vmm.name, vmm.why));
        }
        self.warnings.give(vmm);
        self.input.warn();
    }

    fn streams(&mut self) -> Streams<'_> {
        let console: Option<&mut dyn Write> = if self.args.console { Some(&mut self.console) } else { None };
        Streams { out: &mut self.out, err: &mut self.err, console }
    }
}

/// The signals that end nex.
struct UserStop(Interrupt);

impl Stop for UserStop {
    fn file(&self) -> BorrowedFd<'_> {
        self.0.file()
    }

    fn take(&mut self) -> io::Result<u8> {
        self.0.take()
    }
}
