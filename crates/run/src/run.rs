//! A run, from the files to the report.

use std::path::PathBuf;

use nex_contract::{AGENT, Document, PowerOff, Word, Workload, WorkloadSource};
use nex_diagnose::console::{self, Known, explain};
use nex_diagnose::{CheckOptions, ImageRoot, Refused, Severity};
use nex_fault::{Remedy, Setting};
use nex_guest::{Description, MachineOptions, Overlay, Root, Session, Setup, VmmOptions, VmmReport, workload_drive};
use nex_inspect::RootFs;
use nex_program::{Processor, Speech};
use nex_supervise::Reason;
use nex_vmm::{Access, Ending, Interrupt};

use crate::command::{self, Overrides};
use crate::error::{Error, FAILED};
use crate::follow_error::FollowError;
use crate::guest_end::GuestEnd;
use crate::program::OwnProgram;
use crate::reason::{self, KilledForMemory};
use crate::record::Record;
use crate::report::{End, MemoryReport, Report, Stopped};
use crate::supervisor::{Bounds, Keeping, Reach, Starter, Stop, Supervisor, Surroundings, User};

/// What is run, and in what.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root filesystem, opened: what is looked at is what the guest has. It never changes, and any number of guests may have
    /// it at once.
    pub root: Root,
    /// What else the guest is made of.
    pub machine: MachineOptions,
    /// Which VMM runs the guest, and how.
    pub vmm: VmmOptions,
    /// The user's program; without one, the image's own runs.
    pub program: Option<PathBuf>,
    /// What else the user asks for.
    pub overrides: Overrides,
    /// Whether the root filesystem is refused that cannot come up.
    pub check: bool,
    /// How long it may take.
    pub bounds: Bounds,
}

/// Runs a program in a guest, and looks after that until nothing of it is left but its record.
///
/// # Errors
/// When there is no guest, or it cannot be followed to its end.
pub fn supervise(
    options: &Options,
    keeping: &Keeping,
    starter: Starter,
    user: &mut dyn User,
    stop: &mut dyn Stop,
) -> Result<Report, Error> {
    let reach = Reach::of(&options.root, options.program.as_deref(), &options.overrides);
    if let (Reach::Without(why), true) = (&reach, options.overrides.are_interactive()) {
        return Err(Error::NoChannel { root: options.root.path().into(), why: why.clone() });
    }
    let (setup, root) = prepare(options, &reach)?;
    let killed = KilledForMemory::so_far();
    let around = Surroundings::prepare(starter, keeping)?;
    let session = match setup.start(&options.vmm, Interrupt::by(stop.file())) {
        Ok(session) => session,
        Err(error) => {
            around.discard();
            let is_stopped = error.is_interrupted();
            return Err(if is_stopped {
                Error::Stopped(stop.take().map_err(FollowError::Stop)?.signal())
            } else {
                error.into()
            });
        }
    };
    let mut supervisor = Supervisor::new(session, around, reach, options.bounds, user, stop)?;
    match supervisor.follow() {
        Ok(end) => {
            let reason = reason::reason(supervisor.record(), &end, killed);
            let (session, record) = supervisor.finish();
            let report = report(options, session, record, reason, &end, &root);
            supervisor.release(reason);
            Ok(report)
        }
        Err(error) => {
            supervisor.release(error.reason());
            Err(error.into())
        }
    }
}

/// What a run would start its guest with, in the words of the VMM that would be chosen. Nothing is started.
///
/// # Errors
/// When there would be no guest.
pub fn describe(options: &Options) -> Result<Description, Error> {
    // Nobody would be at the other end of a channel.
    let reach = Reach::Without(String::new());
    Ok(prepare(options, &reach)?.0.describe(&options.vmm)?)
}

/// Makes everything ready for the guest, which gets its program by a drive.
fn prepare(options: &Options, reach: &Reach) -> Result<(Setup, RootFs), Error> {
    let machine = MachineOptions { channel: reach.wish(), ..options.machine.clone() };
    let mut setup = Setup::new(&options.root, &machine, &options.vmm)?;
    let root = options.root.read();
    if options.check {
        check(options, &setup, root.as_ref().ok())?;
    }
    let root = root.map_err(|cause| Error::Root { path: options.root.path().into(), cause })?;
    if options.check {
        check_agent(options, &root)?;
    }
    let program = options.program.as_deref();
    let program = program.map(|path| OwnProgram::open(path, setup.kernel.architecture, &root)).transpose()?;
    let config = command::image_config(&root)?;
    let mut workload = command::workload(config, options.overrides.clone(), program.as_ref())?;
    workload.streams = reach.streams(options.overrides.terminal.clone());
    if options.check {
        check_start(options, &setup, &workload, &root)?;
    }
    let drive = workload_drive(&workload, program.map(|program| program.file))?;
    let device = setup.machine.add_drive(drive.disk(), Access::ReadOnly);
    let source = Word::Workload(WorkloadSource::Drive(device.into()));
    setup.machine.add_words(&format!("{source} {}", Word::PowerOff(PowerOff::WithWorkload)));
    Ok((setup, root))
}

/// Refuses what is known to fail. What is wrong with a root filesystem that cannot be read, its file tells.
fn check(options: &Options, setup: &Setup, root: Option<&RootFs>) -> Result<(), Error> {
    // What an initramfs brings, the kernel need not have.
    let kernel = &options.machine.kernel.kernel;
    let is_alone = setup.kernel.initramfs().is_none();
    let against = CheckOptions {
        kernel: is_alone.then(|| kernel.clone()),
        max_kernel: options.machine.kernel.max_kernel,
        kernel_config: None,
        init: Some(AGENT.into()),
        overlay: true,
    };
    let report = match root {
        Some(root) => nex_diagnose::check(root, &against)?,
        None => nex_diagnose::check_open_file(options.root.path(), options.root.file(), &against)?,
    };
    let errors = report.findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    Ok(Refused::for_any(errors, options.root.path(), kernel)?)
}

/// Refuses an agent that would not take part. One that is not there is a matter of the contract.
fn check_agent(options: &Options, root: &RootFs) -> Result<(), Error> {
    match Speech::of(root, AGENT.as_bytes()).and_then(|speech| speech.unfit()) {
        None => Ok(()),
        Some(why) => Err(Error::Agent { root: options.root.path().into(), why }),
    }
}

/// Refuses what the agent would not start.
fn check_start(options: &Options, setup: &Setup, workload: &Workload, root: &RootFs) -> Result<(), Error> {
    let root = match options.machine.overlay {
        // An earlier run may have made what is missing.
        Some(Overlay::File { .. }) => ImageRoot::changed(root),
        _ => ImageRoot::new(root),
    };
    let processor = Processor::for_architecture(setup.kernel.architecture.oci_name());
    match root.obstacles(workload, processor).first() {
        None => Ok(()),
        Some(obstacle) => Err(Error::Unstarted { root: options.root.path().into(), why: obstacle.unstarted().clone() }),
    }
}

fn report(
    options: &Options,
    session: &Session,
    record: Record,
    reason: Reason,
    end: &GuestEnd,
    root: &RootFs,
) -> Report {
    let Record { report, console, tail, is_up, .. } = record;
    let exit_code = exit_code(report.end, report.stopped);
    let mut report = Report {
        schema_version: Document::Run.schema_version(),
        exit_code: exit_code.unwrap_or(FAILED),
        reason: Some(reason),
        vmm: VmmReport::of(session),
        command_line: session.command_line(),
        agent_way: session.way(),
        memory: MemoryReport { given: u64::from(options.machine.memory_mib) << 20, ..report.memory },
        ..report
    };
    if exit_code.is_none() {
        (report.failure, report.hint) = failure(options, end, is_up);
        let stopped = matches!(end, GuestEnd::Killed);
        let end = if stopped { console::End::Stopped } else { console::End::Itself };
        let command_line = Some(report.command_line.as_bytes());
        report.explanation = Some(explain(&console, &Known { image: Some(root), command_line, end: Some(end) }));
        report.console = tail.lines();
    } else if report.stopped == Some(Stopped::Timeout) {
        let seconds = options.bounds.run.unwrap_or_default().as_secs_f64();
        report.failure = Some(format!("the program was still running after {seconds} s, and was ended"));
        report.hint = Some(longer(Setting::Timeout));
    } else if let Some(End::Unstarted(_)) = report.end {
        report.failure = Some(format!("the program could not be started: {}", report.agent_failures.join("; ")));
    }
    report
}

/// The exit code that stands for a run, as docker(1) and timeout(1) have it; `None` when the guest failed.
fn exit_code(end: Option<End>, stopped: Option<Stopped>) -> Option<u8> {
    const TIMED_OUT: u8 = 124;
    const KILL: u8 = 9;
    match (stopped, end) {
        (Some(Stopped::Timeout), _) => Some(TIMED_OUT),
        (_, Some(end)) => Some(end.exit_code()),
        (Some(Stopped::Signal(signal)), None) => Some(End::Signal(signal).exit_code()),
        (Some(Stopped::Client), None) => Some(End::Signal(KILL).exit_code()),
        (None, None) => None,
    }
}

fn longer(time: Setting) -> Remedy {
    Remedy::say("").raise(time).and("gives it longer")
}

/// Why there is no end of the program, and what to do.
fn failure(options: &Options, end: &GuestEnd, is_up: bool) -> (Option<String>, Option<Remedy>) {
    let (mut hint, bounds) = (None, &options.bounds);
    let failure = match end {
        GuestEnd::Vmm { said, .. } => format!("the guest's VMM failed: {said}"),
        GuestEnd::Killed if !is_up => {
            hint = Some(longer(Setting::BootTimeout));
            format!("the guest was not up within {} s", bounds.boot.as_secs())
        }
        GuestEnd::Itself(Ending::Reset) => "the guest was reset before its program had ended, as by a panic".into(),
        GuestEnd::Itself(_) | GuestEnd::Killed => "the guest ended before its program had".into(),
    };
    (Some(failure), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_docker_and_timeout() {
        let signal = Some(Stopped::Signal(15));
        let cases = [
            (Some(End::Code(3)), None, Some(3)),
            (Some(End::Signal(9)), None, Some(137)),
            (Some(End::Unstarted(127)), None, Some(127)),
            (Some(End::Code(0)), Some(Stopped::Timeout), Some(124)),
            (None, Some(Stopped::Timeout), Some(124)),
            (Some(End::Code(0)), signal, Some(0)),
            (None, signal, Some(143)),
            (None, Some(Stopped::Client), Some(137)),
            (None, None, None),
        ];
        for (end, stopped, expected) in cases {
            assert_eq!(exit_code(end, stopped), expected, "{end:?} {stopped:?}");
        }
    }
}
