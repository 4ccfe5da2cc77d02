//! Init: the first process in the tree. It sets the scripts' world up, locks itself into it, and runs them.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions};
use rustix::thread::UnshareFlags;

use super::{capabilities, die_with_parent, doing, limits, line_up, root, seccomp, setup_files};
use crate::options::Network;
use crate::protocol::{Report, Setup};
use crate::wire::{Channel, receive_files};
use crate::{Script, sys};

/// Where programs are looked for, as in Docker.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// As root has it everywhere.
const UMASK: Mode = Mode::WGRP.union(Mode::WOTH);

/// Everything that goes wrong here is said to the keeper.
pub fn run() -> io::Result<()> {
    sys::close_inherited()?;
    die_with_parent()?;
    let socket = line_up()?;
    let files = receive_files(&socket)?;
    let mut keeper = Channel::new(socket)?;
    let setup = keeper.receive()?;
    match set_up(&mut keeper, &setup, files).and_then(|()| run_scripts(&mut keeper, &setup)) {
        Ok(()) => Ok(()),
        Err(message) => keeper.send_now(&Report::Failed(message)),
    }
}

fn set_up(keeper: &mut Channel, setup: &Setup, files: Vec<OwnedFd>) -> Result<(), String> {
    let mut namespaces = UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWCGROUP;
    if setup.world.network == Network::None {
        namespaces |= UnshareFlags::NEWNET;
    }
    sys::unshare(namespaces).map_err(doing("making namespaces"))?;
    root::enter(setup, files)?;
    rustix::system::sethostname(setup.world.hostname.as_bytes()).map_err(doing("setting the name of the machine"))?;
    // No terminal of the host controls the scripts, so that they cannot put words into it.
    rustix::process::setsid().map_err(doing("leaving the terminal"))?;
    rustix::process::umask(UMASK);
    limits::set(&setup.world.limits).map_err(doing("setting limits"))?;
    // In this namespace root has no rights over the mounts and the other namespaces, which belong to the first.
    sys::unshare(UnshareFlags::NEWUSER).map_err(doing("making the second user namespace"))?;
    keeper.send_now(&Report::Unshared).map_err(doing("speaking to the keeper"))?;
    keeper.receive::<()>().map_err(doing("waiting for the keeper"))?;
    capabilities::bound().map_err(doing("bounding capabilities"))?;
    sys::install_filter(&seccomp::program()?).map_err(doing("filtering system calls"))?;
    capabilities::drop_others().map_err(doing("dropping capabilities"))?;
    // No script may look into this process, whose program is a file of the host.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(doing("hiding init"))?;
    die_with_parent().map_err(doing("binding init to the keeper"))?;
    // The number of the process above would not tell: from in here it has none.
    if keeper.is_closed().map_err(doing("looking for the keeper"))? { Err("the keeper is gone".into()) } else { Ok(()) }
}

fn run_scripts(keeper: &mut Channel, setup: &Setup) -> Result<(), String> {
    for (number, script) in setup.world.scripts.iter().enumerate() {
        keeper.send_now(&Report::Began(number)).map_err(doing("speaking to the keeper"))?;
        let status = run_script(number, script, setup)?;
        let (code, signal) = (status.code(), status.signal());
        let ended = Report::Ended { script: number, status: code.or(signal).unwrap_or(-1), signalled: code.is_none() };
        keeper.send_now(&ended).map_err(doing("speaking to the keeper"))?;
        if !status.success() {
            break;
        }
    }
    Ok(())
}

fn run_script(number: usize, script: &Script, setup: &Setup) -> Result<ExitStatus, String> {
    let path = setup_files::script_path(number, script);
    let is_executable = [b"#!".as_slice(), b"\x7fELF"].iter().any(|magic| script.content.starts_with(magic));
    let mut command = if is_executable { Command::new(&path) } else { Command::new("/bin/sh") };
    if !is_executable {
        command.arg(&path);
    }
    command
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .envs(setup.world.env.iter().map(|(key, value)| (key, value)));
    let child = command.current_dir("/").stdin(Stdio::null()).spawn().map_err(|error| cannot_start(script, &error))?;
    let status = wait_for(Pid::from_child(&child)).map_err(doing("waiting for the script"))?;
    end_all().map_err(doing("ending what the script has left running"))?;
    Ok(status)
}

fn cannot_start(script: &Script, error: &io::Error) -> String {
    let needs = match script.content.strip_prefix(b"#!") {
        Some(line) => {
            let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
            let interpreter = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            format!("its interpreter '{}'", interpreter.escape_ascii())
        }
        None if script.content.starts_with(b"\x7fELF") => "what the program needs".into(),
        None => "a shell, /bin/sh".into(),
    };
    format!("starting '{}': {error}; the image must have {needs}", script.name.escape_debug())
}

/// Waits for one child; others that end meanwhile are orphans that nobody else waits for.
fn wait_for(child: Pid) -> rustix::io::Result<ExitStatus> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == child => return Ok(ExitStatus::from_raw(status.as_raw())),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Ends every process in the pid namespace but this one: what a script has left running would go on changing the tree.
fn end_all() -> rustix::io::Result<()> {
    loop {
        // To the group of init is to everybody: kill(2) takes -1 for that.
        match rustix::process::kill_process_group(Pid::INIT, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error),
        }
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
