//! The program that the guest is there for.

use std::path::Path;
use std::time::{Duration, Instant};

use nex_contract::{
    AGENT, BINARY_FILE, IMAGE_FILE, ImageConfig, Json, MAX_FILE, NOT_FOUND, NOT_STARTED, Pid1, Restart, Root, Streams,
    Unstarted, WORKLOAD_FILE, Workload, WorkloadSource, stop_signal,
};
use nex_protocol::{Ended, Event, Exit, Source};
use nix::mount::MsFlags;
use nix::sys::signal::Signal;

use crate::channel::Surroundings;
use crate::clock::uptime_ms;
use crate::command_line::CommandLine;
use crate::device;
use crate::mounts;
use crate::restart::Restarts;
use crate::root::OwnRoot;
use crate::spawn::{Input, Job, JobStreams};
use crate::supervisor::{ATTACH_PATIENCE, Supervisor};
use crate::sysctl;

/// Where a workload drive is mounted.
const DRIVE: &str = "/run/nex/workload";

/// How long the host may read nothing of what is told before the agent becomes another program.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long to wait for a workload drive. Its driver is there already, since the root is.
const DRIVE_PATIENCE: Duration = Duration::from_secs(5);

/// Why nothing more is to be done for the workload.
pub enum Outcome {
    /// This signal asks for an end.
    Asked(Signal),
    /// It has ended, and is not started again.
    Over,
}

/// Runs the workload that the command line asks for until it is over; waits for a signal where it asks for none.
pub fn run(supervisor: &mut Supervisor, line: &CommandLine) -> Outcome {
    let Some(source) = line.workload().or_else(of_successor) else {
        withdraw(supervisor, "the guest has no workload");
        // What ends with nothing ends at once.
        return if line.ends_with_workload() { Outcome::Over } else { Outcome::Asked(wait_for_signal(supervisor)) };
    };
    let (job, policy) = match find(&source, line) {
        Ok(found) => found,
        Err(unstarted) => {
            could_not_start(supervisor, Source::Workload, &unstarted);
            return Outcome::Over;
        }
    };
    if job.pid1 == Pid1::Image {
        withdraw(supervisor, "the image's program is process 1 here, and has no streams on the channel");
        let unstarted = hand_over(supervisor, &job, line);
        could_not_start(supervisor, job.source, &unstarted);
        return Outcome::Over;
    }
    run_again(supervisor, job, policy)
}

/// Runs a workload that somebody describes, until it is over.
pub fn run_described(supervisor: &mut Supervisor, workload: Workload) -> Outcome {
    let policy = workload.restart;
    match of_drive(workload) {
        Ok(job) => run_again(supervisor, job, policy),
        Err(unstarted) => {
            could_not_start(supervisor, Source::Workload, &unstarted);
            Outcome::Over
        }
    }
}

/// Runs a workload until it ends for good.
fn run_again(supervisor: &mut Supervisor, mut job: Job, policy: Restart) -> Outcome {
    match offer_streams(supervisor, &mut job) {
        Ok(()) => {}
        Err(Hindrance::Asked(signal)) => return Outcome::Asked(signal),
        Err(Hindrance::Unstarted(unstarted)) => {
            could_not_start(supervisor, job.source, &unstarted);
            return Outcome::Over;
        }
    }
    let mut restarts = Restarts::new(policy);
    loop {
        let started = Instant::now();
        let end = match run_once(supervisor, &job) {
            Ok(end) => end,
            Err(signal) => return Outcome::Asked(signal),
        };
        let pause = restarts.after(end, started.elapsed());
        tell_end(supervisor, job.source, end, pause);
        let Some(pause) = pause else { return Outcome::Over };
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if let Some(signal) = supervisor.step(Some(until)) {
                return Outcome::Asked(signal);
            }
        }
    }
}

/// Why a workload does not begin.
enum Hindrance {
    Asked(Signal),
    Unstarted(Unstarted),
}

/// Waits until a host has attached to the workload's streams, where those go by the channel.
fn offer_streams(supervisor: &mut Supervisor, job: &mut Job) -> Result<(), Hindrance> {
    let unstarted = |reason: String| Err(Hindrance::Unstarted(Unstarted::new(NOT_STARTED, reason)));
    if let Some(channel) = &mut supervisor.channel {
        channel.surround(Surroundings::of(job));
    }
    let JobStreams::Channel(streams) = &mut job.streams else {
        withdraw(supervisor, "the workload's output goes by the agent's lines, and it has no input");
        return Ok(());
    };
    let deadline = Instant::now() + ATTACH_PATIENCE;
    loop {
        match &mut supervisor.channel {
            None => return unstarted("its streams are to go by the channel, and the guest has none".into()),
            Some(channel) if channel.attachment.is_attached() => {
                channel.attachment.offer(streams);
                return Ok(());
            }
            Some(_) if Instant::now() >= deadline => {
                let seconds = ATTACH_PATIENCE.as_secs();
                return unstarted(format!("no host has attached to its streams on the channel in {seconds} s"));
            }
            Some(_) => {}
        }
        if let Some(signal) = supervisor.step(Some(deadline)) {
            return Err(Hindrance::Asked(signal));
        }
    }
}

/// Tells hosts that there is no workload to attach to.
fn withdraw(supervisor: &mut Supervisor, why: &'static str) {
    if let Some(channel) = &mut supervisor.channel {
        channel.withdraw_workload(why);
    }
}

/// The image's program without being asked for, where it is to be process 1 after the agent.
fn of_successor() -> Option<WorkloadSource> {
    let config = || ImageConfig::of(&OwnRoot).ok().flatten();
    let is_wanted = is_process_one() && config().is_some_and(|config| config.pid1 == Pid1::Image);
    is_wanted.then_some(WorkloadSource::Image)
}

fn is_process_one() -> bool {
    std::process::id() == 1
}

/// Becomes the image's program. Returns only when that fails, with the reason.
fn hand_over(supervisor: &mut Supervisor, job: &Job, line: &CommandLine) -> Unstarted {
    if !is_process_one() {
        let reason =
            format!("the image's program is to be process 1, and that is another init here; boot with init={AGENT}");
        return Unstarted::new(NOT_STARTED, reason);
    }
    // Then the console is the program's output, and nobody types.
    let is_asked_for = line.workload().is_some();
    if is_asked_for && let Err(problem) = sysctl::quieten_kernel() {
        supervisor.host.fail(problem);
    }
    match job.successor(if is_asked_for { Input::Nothing } else { Input::Console }) {
        Ok(successor) => {
            supervisor.close_channel(LAST_WORDS);
            // On the console, whatever the way before: the host has to know from which of its bytes on they are the program's.
            supervisor.host.close(LAST_WORDS);
            supervisor.host.tell(&Event::Handover { uptime_ms: uptime_ms() });
            supervisor.host.flush(LAST_WORDS);
            successor.start()
        }
        Err(unstarted) => unstarted,
    }
}

/// Runs a program to its end, and tells everything but that.
///
/// # Errors
/// A signal that asks for an end; the program runs on.
pub fn run_once(supervisor: &mut Supervisor, job: &Job) -> Result<Ended, Signal> {
    if let Err(unstarted) = supervisor.start(job) {
        tell_unstarted(supervisor, job.source, &unstarted);
        return Ok(Ended::Unstarted(unstarted.code));
    }
    loop {
        if let Some((_, end)) = supervisor.take_end() {
            return Ok(end);
        }
        if let Some(signal) = supervisor.step(None) {
            return Err(signal);
        }
    }
}

/// Waits for a signal that asks for an end, and deals with all else.
pub fn wait_for_signal(supervisor: &mut Supervisor) -> Signal {
    loop {
        if let Some(signal) = supervisor.step(None) {
            return signal;
        }
    }
}

/// Tells how a program ended.
pub fn tell_end(supervisor: &mut Supervisor, source: Source, end: Ended, pause: Option<Duration>) {
    let restart_ms = pause.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    supervisor.host.tell(&Event::Exit(Exit { source, end, uptime_ms: uptime_ms(), restart_ms }));
    if let Some(channel) = supervisor.channel.as_mut().filter(|_| source == Source::Workload && pause.is_none()) {
        channel.finish_workload(end);
    }
}

/// Tells why a program does not run.
fn tell_unstarted(supervisor: &mut Supervisor, source: Source, unstarted: &Unstarted) {
    supervisor.host.fail(unstarted.reason.clone());
    if let Some(channel) = supervisor.channel.as_mut().filter(|_| source == Source::Workload) {
        channel.attachment.could_not_start(unstarted);
    }
}

fn could_not_start(supervisor: &mut Supervisor, source: Source, unstarted: &Unstarted) {
    tell_unstarted(supervisor, source, unstarted);
    tell_end(supervisor, source, Ended::Unstarted(unstarted.code), None);
}

/// What to run, and whether again.
fn find(source: &WorkloadSource, line: &CommandLine) -> Result<(Job, Restart), Unstarted> {
    let failed = |reason: String| Unstarted::new(NOT_STARTED, reason);
    match source {
        WorkloadSource::Image => {
            let config = ImageConfig::of(&OwnRoot).map_err(|error| failed(format!("{IMAGE_FILE}: {error}")))?;
            let policy = line.restart().map_err(|error| failed(error.to_string()))?;
            Ok((of_image(config.unwrap_or_default())?, policy))
        }
        WorkloadSource::Drive(device) => {
            mount(device).map_err(failed)?;
            let path = format!("{DRIVE}{WORKLOAD_FILE}");
            let json = OwnRoot.read(&path, MAX_FILE).map_err(failed)?.unwrap_or_default();
            let workload = Workload::from_json(&json).map_err(|error| failed(format!("{path}: {error}")))?;
            let policy = workload.restart;
            Ok((of_drive(workload)?, policy))
        }
    }
}

fn of_image(config: ImageConfig) -> Result<Job, Unstarted> {
    let workload = config.workload(Vec::new());
    if workload.program.is_empty() {
        return Err(Unstarted::new(NOT_FOUND, "the image names neither an entrypoint nor a command"));
    }
    of_drive(workload)
}

fn of_drive(workload: Workload) -> Result<Job, Unstarted> {
    if workload.pid1 == Pid1::Image && !workload.streams.are_lines() {
        return Err(Unstarted::new(NOT_STARTED, "a program that is to be process 1 has no streams on the channel"));
    }
    let (program, name) = match workload.program {
        program if program.is_empty() => (format!("{DRIVE}{BINARY_FILE}"), BINARY_FILE.trim_start_matches('/').into()),
        program => (program.clone(), program),
    };
    Ok(Job {
        source: Source::Workload,
        program: program.into(),
        argv0: if workload.argv0.is_empty() { name } else { workload.argv0 }.into(),
        args: workload.args.into_iter().map(Into::into).collect(),
        env: workload.env.into_iter().map(Into::into).collect(),
        user: workload.user,
        working_dir: workload.working_dir.into(),
        stop_signal: stop_signal(&workload.stop_signal)?,
        open_files: workload.open_files,
        streams: match workload.streams {
            Streams::Lines => JobStreams::Lines,
            Streams::Channel(streams) => JobStreams::Channel(streams),
        },
        pid1: workload.pid1,
    })
}

fn mount(device: &Path) -> Result<(), String> {
    device::wait_for(device, Some(DRIVE_PATIENCE))?;
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mounts::mount_device(device, Path::new(DRIVE), "ext4", flags, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_brings_a_program_or_names_one_of_the_root() {
        let own = of_drive(Workload::default()).unwrap();
        assert_eq!((own.program.to_str(), own.argv0.to_str()), (Some("/run/nex/workload/binary"), Some("binary")));
        let named = of_drive(Workload { program: "env".into(), ..Workload::default() }).unwrap();
        assert_eq!((named.program.to_str(), named.argv0.to_str()), (Some("env"), Some("env")));
    }

    #[test]
    fn an_images_command_follows_its_entrypoint() {
        let config = ImageConfig {
            entrypoint: vec!["/entry".into(), "a".into()],
            cmd: vec!["b".into()],
            ..ImageConfig::default()
        };
        let job = of_image(config).unwrap();
        assert_eq!((job.program.to_str(), job.args), (Some("/entry"), vec!["a".into(), "b".into()]));
        assert_eq!(of_image(ImageConfig::default()).unwrap_err().code, 127);
    }
}
