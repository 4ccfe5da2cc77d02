//! The agent as process 1.

use std::ffi::OsString;
use std::path::Path;

use nex_contract::{BOOT_SCRIPT, ImageConfig, Pid1};
use nex_protocol::{Role, Source};
use nix::sys::reboot::set_cad_enabled;
use nix::sys::signal::Signal;

use crate::carrier::Carrier;
use crate::channel::{Channel, ChannelOptions};
use crate::clock::{set_time_of_day, uptime_ms};
use crate::command_line::CommandLine;
use crate::console::open_standard_streams;
use crate::host::Host;
use crate::mounts::{mount_first, mount_others};
use crate::network::{bring_loopback_up, set_hostname};
use crate::overlay::{self, become_init};
use crate::resolver::write_resolv_conf;
use crate::root::OwnRoot;
use crate::signals::Signals;
use crate::spawn::{Job, JobStreams};
use crate::supervisor::Supervisor;
use crate::workload::{self, Outcome};
use crate::{initramfs, shutdown, ssh_keys, sysctl, vsock};

/// Sets the machine up, says so, and serves until it is asked to end the machine. Never returns: the kernel panics when
/// its init does.
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> ! {
    let start_ms = uptime_ms();
    let name = arguments.next();
    let arguments: Vec<OsString> = arguments.collect();
    if initramfs::is_here(name.as_ref()) {
        initramfs::run(start_ms, arguments.iter().cloned());
    }
    let problems = mount_first();
    let line = CommandLine::read();
    open_standard_streams();
    enter_overlay(&line, start_ms, arguments);

    let signals = Signals::of_init();
    let mut host = Host::of_init();
    host.tell_start(Role::Init, start_ms);
    problems.into_iter().for_each(|problem| host.fail(problem));
    set_up(&mut host, &line);
    connect(&mut host, &line);
    // From before any other program runs.
    let carrier = open_channel(&mut host, &line);
    let mut supervisor = Supervisor::new(host, signals);
    supervisor.channel = carrier.map(|carrier| Channel::new(carrier, ChannelOptions::default()));
    let outcome = match ssh_keys::make(&mut supervisor).and_then(|()| run_boot_script(&mut supervisor)) {
        Ok(()) => {
            supervisor.host.tell_ready(Role::Init, start_ms);
            workload::run(&mut supervisor, &line)
        }
        Err(signal) => Outcome::Asked(signal),
    };
    match outcome {
        Outcome::Asked(signal) => end_by(&mut supervisor, signal),
        Outcome::Over if line.ends_with_workload() => {}
        Outcome::Over => {
            let signal = workload::wait_for_signal(&mut supervisor);
            end_by(&mut supervisor, signal);
        }
    }
    loop {
        shutdown::run(&mut supervisor);
        // The kernel refused, and a further signal may find it in another mood.
        workload::wait_for_signal(&mut supervisor);
    }
}

/// Goes on in an overlay, if one is asked for, and to another init, if one is named. Returns to be the init itself.
///
/// A failure ends the machine: the root must not be written that others share.
fn enter_overlay(line: &CommandLine, start_ms: u64, arguments: Vec<OsString>) {
    let Some(wanted) = line.overlay().filter(|_| !overlay::is_there()) else { return };
    let mut host = Host::of_init();
    host.tell_start(Role::Overlay, start_ms);
    let reason = match (overlay::enter(&wanted), line.overlay_init()) {
        (Ok(()), None) => return,
        (Ok(()), Some(init)) => become_init(&init, arguments.into_iter()),
        (Err(reason), _) => reason,
    };
    host.fail(reason);
    shutdown::end_machine(&mut host);
}

/// Does what an init has to do before others can work.
///
/// Nothing is to be done for random numbers: since Linux 5.6 the kernel gathers them by itself before it gives out the
/// first, from the processor, the VMM's device, or its own timing.
fn set_up(host: &mut Host, line: &CommandLine) {
    mount_others().into_iter().chain(sysctl::set()).for_each(|problem| host.fail(problem));
    for result in [set_hostname(), bring_loopback_up(), set_time_of_day(), write_resolv_conf(line)] {
        if let Err(problem) = result {
            host.fail(problem);
        }
    }
    // Ctrl-Alt-Del shall arrive as SIGINT instead of a reset at once. Not in a container's process namespace, where the
    // kernel refuses.
    let _ = set_cad_enabled(false);
}

/// Has the lines go over vsock, if that is asked for and possible; else they stay on the console.
fn connect(host: &mut Host, line: &CommandLine) {
    match line.vsock_port() {
        Ok(None) => {}
        Ok(Some(port)) => match vsock::connect_to_host(port) {
            Ok(connection) => {
                host.note(format!("going on by vsock, port {port} of the host"));
                host.go_on_by(connection);
            }
            // The host asks for it without knowing the guest's kernel, and nothing is lost.
            Err(error) => host.note(format!("no vsock to port {port} of the host: {error}; staying on the console")),
        },
        Err(problem) => host.fail(problem.to_string()),
    }
}

/// Opens the channel to the host, if that is asked for and possible.
fn open_channel(host: &mut Host, line: &CommandLine) -> Option<Carrier> {
    match line.channel() {
        Ok(None) => None,
        Ok(Some(wanted)) => match Carrier::open(wanted) {
            Ok(channel) => Some(channel),
            // The host asks for it without knowing the guest's kernel, and the guest works without it.
            Err(why) => {
                host.note(format!("no channel to the host: {why}"));
                None
            }
        },
        Err(problem) => {
            host.fail(problem.to_string());
            None
        }
    }
}

/// Runs the boot script, if there is one. Its failure is told, and the guest comes up all the same: one that reports is
/// better than one that does not.
///
/// # Errors
/// A signal that asks for an end.
fn run_boot_script(supervisor: &mut Supervisor) -> Result<(), Signal> {
    if !Path::new(BOOT_SCRIPT).exists() {
        return Ok(());
    }
    // What is wrong with the file is told by the image's program, if anybody asks for that.
    let env = ImageConfig::of(&OwnRoot).ok().flatten().map(|config| config.env).unwrap_or_default();
    let env = env.into_iter().map(Into::into).collect();
    let job = Job {
        source: Source::BootScript,
        program: BOOT_SCRIPT.into(),
        argv0: BOOT_SCRIPT.into(),
        args: Vec::new(),
        env,
        user: String::new(),
        working_dir: OsString::new(),
        stop_signal: Signal::SIGTERM as i32,
        open_files: None,
        streams: JobStreams::Lines,
        pid1: Pid1::Agent,
    };
    let end = workload::run_once(supervisor, &job)?;
    workload::tell_end(supervisor, Source::BootScript, end, None);
    Ok(())
}

fn end_by(supervisor: &mut Supervisor, signal: Signal) {
    supervisor.host.note(format!("{} received, ending", signal.as_str()));
}
