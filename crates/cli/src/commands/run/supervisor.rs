//! The supervisor of a guest: nex with the arguments of a run, under another name.

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nex_guest::VmmReport;
use nex_process::Inherited;
use nex_run::{Console, Control, Keeping, Options, Report, Starter, User};
use nex_supervise::api::{Ended, Notice};
use nex_supervise::{About, Mode, Reason, default_directory};
use rustix::fs::{FileType, fstat};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stdin, dup2_stdout, stdin, stdout};
use serde_json::value::RawValue;

use super::args::RunArgs;
use super::options::{failed, failure, grace, options};
use super::stop_requests::StopRequests;
use super::words::words;
use crate::args::common::CommonArgs;
use crate::cli::variables::environ::Environ;
use crate::cli::{Cli, Command, refused, variables};
use crate::diagnostic::{Diagnostic, USAGE_EXIT};
use crate::interrupt::{self, Process};
use crate::output::{self, tell};
use crate::trace;
use crate::warnings::Warnings;

/// Looks after the guest of a run. How that went stands on the control connection alone.
pub fn main() -> ExitCode {
    nex_process::ignore_hangups();
    let inherited = Inherited::of_this_process().unwrap_or_default();
    let streams = match Streams::take() {
        Ok(streams) => streams,
        Err(error) => {
            output::tell(format_args!("error: a guest's supervisor is for nex run to start: {error}"));
            return ExitCode::from(USAGE_EXIT);
        }
    };
    // One that is the leader of a group already is in a session of its starter's making.
    let _ = rustix::process::setsid();
    let control = streams.control.clone();
    let notes = control.clone();
    output::tell_by(move |text| notes.tell(&Notice::Note { text: text.to_owned() }));
    let process = Process::default();
    let last = supervise(streams, inherited, &process).unwrap_or_else(|diagnostic| refusal(&diagnostic));
    control.tell(&last);
    control.finish();
    ExitCode::SUCCESS
}

/// What the standard streams were, which lead nowhere from now on.
struct Streams {
    control: Control,
    /// The control connection once more, to be read.
    orders: UnixStream,
    frames: Option<UnixStream>,
}

impl Streams {
    fn take() -> io::Result<Self> {
        let orders = socket(stdin())?.ok_or_else(|| io::Error::other("standard input is no socket"))?;
        let frames = socket(stdout())?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        Ok(Self { control: Control::over(orders.try_clone()?)?, orders, frames })
    }
}

/// A standard stream, if it is a socket.
fn socket(stream: BorrowedFd<'_>) -> io::Result<Option<UnixStream>> {
    /// The first descriptor that is no standard stream.
    const FIRST: i32 = 3;
    match fstat(stream) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Socket => {
            let own: OwnedFd = fcntl_dupfd_cloexec(stream, FIRST)?;
            Ok(Some(own.into()))
        }
        _ => Ok(None),
    }
}

/// Does what the arguments ask for, and gives the last line of the control connection.
fn supervise(streams: Streams, inherited: Inherited, process: &Process) -> Result<Notice, Diagnostic> {
    let cli = arguments()?;
    let (args, common) = match &cli.command {
        Command::Run(args) => (args, &cli.common),
        _ => return Err(failed(Diagnostic::usage("a guest's supervisor has the arguments of nex run"))),
    };
    output::obey(common);
    interrupt::survive_file_size_limits()
        .and_then(|()| nex_process::keep_from_children())
        .map_err(Diagnostic::system)
        .and_then(|()| trace::begin(common.verbose))
        .map_err(failed)?;
    let stop = StopRequests::listen(streams.orders, grace(args), process);
    let mut stop = stop.map_err(|error| failed(Diagnostic::system(error)))?;
    let options = options(args, process).map_err(failed)?;
    let starter = Starter {
        control: streams.control,
        frames: streams.frames,
        console: if args.console { Console::Told } else { Console::Kept },
    };
    let mut user = Watcher {
        is_verbose: common.verbose > 0,
        warnings: Warnings::default(),
        detached: args.detach.then(|| (stop.detachment(), inherited)),
    };
    let report = nex_run::supervise(&options, &keeping(args, &options), starter, &mut user, &mut stop);
    let report = report.map_err(|error| failure(&error))?;
    user.warnings.give(&report.vmm);
    Ok(Notice::Ended(ended(&report, args, common)?))
}

/// What was asked for. The starter has warned of what is strange in it.
fn arguments() -> Result<Cli, Diagnostic> {
    let arguments: Vec<_> = std::env::args_os().collect();
    match variables::parse(&arguments, &Environ::of_this_process()) {
        Ok(asked) => Ok(asked.cli),
        Err(refusal) => {
            let why = refused::diagnostic(&refusal);
            Err(failed(why.unwrap_or_else(|| Diagnostic::usage("a guest's supervisor has the arguments of nex run"))))
        }
    }
}

fn keeping(args: &RunArgs, options: &Options) -> Keeping {
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let binary = args.binary.iter().map(|binary| shown(binary));
    let about = About {
        root: shown(&args.rootfs),
        kernel: Some(shown(&options.machine.kernel.kernel)),
        command: binary.chain(options.overrides.args.iter().cloned()).collect(),
        ..About::default()
    };
    let mode = Mode { detached: args.detach, stdin: args.interactive, terminal: args.tty };
    Keeping { state: default_directory().ok(), name: args.name.clone(), about, mode }
}

/// The last line for a guest that has ended.
fn ended(report: &Report, args: &RunArgs, common: &CommonArgs) -> Result<Ended, Diagnostic> {
    let json = output::in_json(report).map_err(failed)?;
    let json = RawValue::from_string(json).map_err(|error| failed(Diagnostic::system(io::Error::other(error))))?;
    let reason = report.reason.unwrap_or(Reason::Unknown);
    Ok(Ended { reason, exit_code: report.exit_code, report: Some(json), text: words(report, args, common) })
}

/// The last line where there is no guest.
fn refusal(diagnostic: &Diagnostic) -> Notice {
    Notice::Refused {
        error: diagnostic.failure(),
        exit_code: diagnostic.end().exit_code(),
        text: if diagnostic.is_silent() { String::new() } else { diagnostic.text() },
    }
}

/// Says who runs the guest, and lets go of its starter where it has to.
struct Watcher {
    is_verbose: bool,
    warnings: Warnings,
    /// What is done when the starter may go.
    detached: Option<(Arc<AtomicBool>, Inherited)>,
}

impl User for Watcher {
    fn started(&mut self, vmm: &VmmReport) {
        if self.is_verbose {
            tell(format_args!("run: {} ({})", vmm.name, vmm.why));
        }
        self.warnings.give(vmm);
        if let Some((is_detached, inherited)) = self.detached.take() {
            is_detached.store(true, Ordering::SeqCst);
            inherited.close();
        }
    }
}
