//! Init: the first process in the tree. It sets the scripts' world up, locks itself into it, and runs them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::Mode;
use rustix::process::DumpableBehavior;
use rustix::thread::UnshareFlags;
use seccompiler::BpfProgram;

use super::settings::Settings;
use super::shell::{self, Terminal};
use super::{
    capabilities, die_with_parent, doing, ipc, limits, line_up, root, scopes, scripts, seccomp, uncounted, user_limits,
};
use crate::failure::Failure;
use crate::options::MemoryBound;
use crate::protocol::{Report, Setup};
use crate::sys;
use crate::uplink::Uplink;
use crate::wire::{Channel, receive_files, send_files};

/// As root has it everywhere.
const UMASK: Mode = Mode::WGRP.union(Mode::WOTH);

/// Everything that goes wrong here is said to the monitor.
pub fn run() -> io::Result<()> {
    sys::close_inherited()?;
    die_with_parent()?;
    let socket = line_up()?;
    let files = receive_files(&socket)?;
    let mut monitor = Channel::new(socket)?;
    let (setup, shell, memory): (Setup, Option<String>, MemoryBound) = monitor.receive()?;
    match serve(&mut monitor, &setup, shell.as_deref(), memory, files) {
        Ok(()) => Ok(()),
        Err(message) => monitor.send_now(&Report::Failed(message)),
    }
}

/// Runs the scripts, and then a shell on a terminal of this kind, if there is one.
fn serve(
    monitor: &mut Channel,
    setup: &Setup,
    shell: Option<&str>,
    memory: MemoryBound,
    files: Vec<OwnedFd>,
) -> Result<(), Failure> {
    let mut files = files.into_iter();
    let mut next = || files.next().ok_or("the monitor has passed too few files");
    let (caller, calls) = (next()?, UnixStream::from(next()?));
    let bounded = enter(setup, files)?;
    let terminal = shell.map(|kind| Terminal::open(kind, caller)).transpose().map_err(doing("making a terminal"))?;
    lock_in(monitor, setup, &calls, memory, &bounded)?;
    scripts::run(monitor, setup)?;
    terminal.map_or(Ok(()), |terminal| shell::run(monitor, setup, terminal))
}

/// What the scripts' world bounds.
struct Bounded {
    /// What System V IPC takes.
    ipc: bool,
    /// What is used up of the caller's limits.
    user: bool,
}

/// Enters the scripts' world.
fn enter(setup: &Setup, files: impl Iterator<Item = OwnedFd>) -> Result<Bounded, Failure> {
    let mut namespaces = UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWCGROUP;
    let is_apart = setup.uplink != Uplink::Namespace;
    if is_apart {
        namespaces |= UnshareFlags::NEWNET;
    }
    sys::unshare(namespaces).map_err(doing("making namespaces"))?;
    let settings = Settings::open();
    let is_bounded =
        |bound: fn(&Settings) -> io::Result<()>| settings.as_ref().is_ok_and(|settings| bound(settings).is_ok());
    let bounded = Bounded { ipc: is_bounded(ipc::bound), user: is_bounded(user_limits::bound) };
    if is_apart {
        sys::raise_loopback().map_err(doing("raising the loopback interface"))?;
        // Where there is no IPv4, nothing waits in it.
        is_bounded(bound_connections);
    }
    root::enter(setup, files)?;
    rustix::system::sethostname(setup.world.hostname.as_bytes()).map_err(doing("setting the name of the machine"))?;
    // No terminal of the host controls the scripts, so that they cannot put words into it.
    rustix::process::setsid().map_err(doing("leaving the terminal"))?;
    rustix::process::umask(UMASK);
    limits::set(&setup.world.limits).map_err(doing("setting limits"))?;
    Ok(bounded)
}

/// Bounds what waits in a connection of this network namespace, which leads nowhere else.
fn bound_connections(settings: &Settings) -> io::Result<()> {
    settings.set("net/ipv4/tcp_rmem", "4096 131072 1048576")?;
    settings.set("net/ipv4/tcp_wmem", "4096 16384 1048576")
}

/// Takes away from this process, and from all that it starts, what scripts must not have.
fn lock_in(
    monitor: &mut Channel,
    setup: &Setup,
    calls: &UnixStream,
    memory: MemoryBound,
    bounded: &Bounded,
) -> Result<(), Failure> {
    let is_sampled = memory == MemoryBound::Sampled;
    // In this namespace root has no rights over the mounts and the other namespaces, which belong to the first.
    sys::unshare(UnshareFlags::NEWUSER).map_err(doing("making the second user namespace"))?;
    monitor.send_now(&Report::Unshared).map_err(doing("speaking to the monitor"))?;
    monitor.receive::<()>().map_err(doing("waiting for the monitor"))?;
    capabilities::bound().map_err(doing("bounding capabilities"))?;
    scopes::enter().map_err(doing("keeping to the scripts' own sockets and signals"))?;
    let mut filters = vec![seccomp::program()?, seccomp::netlink()?];
    if is_sampled {
        // What does not know of it has no huge pages.
        rustix::thread::disable_transparent_huge_pages(true).ok();
        filters.extend(uncounted::filters()?);
    }
    let mut unbounded = if bounded.user { Vec::new() } else { user_limits::CALLS.to_vec() };
    if is_sampled && !bounded.ipc {
        unbounded.extend(ipc::CALLS);
    }
    // Their rules take megabytes of a descriptor.
    unbounded.extend(is_sampled.then_some(libc::SYS_landlock_create_ruleset));
    let notified = seccomp::Notified { ids: !setup.groups, sockets: setup.uplink == Uplink::Sockets };
    let listening = seccomp::notify(notified)?;
    let install = |filter: &BpfProgram| sys::install_filter(filter).map_err(doing("filtering system calls"));
    filters.iter().try_for_each(install)?;
    match sys::install_listener(&listening) {
        Ok(listener) => {
            send_files(calls, &[listener.as_fd()]).map_err(doing("passing system calls on"))?;
            monitor.send_now(&Report::Listening).map_err(doing("speaking to the monitor"))?;
        }
        Err(error) if notified.sockets => return Err(doing("lending the host's network")(error)),
        // Where something outside listens already, nobody else may; scripts run without.
        Err(_) => {
            install(&seccomp::without_allocations()?)?;
            unbounded.extend(is_sampled.then_some(libc::SYS_memfd_create));
        }
    }
    if !unbounded.is_empty() {
        install(&seccomp::without(&unbounded)?)?;
    }
    limits::set_files().map_err(doing("setting limits"))?;
    capabilities::drop_others().map_err(doing("dropping capabilities"))?;
    // No script may look into this process: its program's libraries are files of the host, and so may be what it has open.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(doing("hiding init"))?;
    die_with_parent().map_err(doing("binding init to the monitor"))?;
    // The number of the process above would not tell: from in here it has none.
    if monitor.is_closed().map_err(doing("looking for the monitor"))? {
        Err("the monitor is gone".into())
    } else {
        Ok(())
    }
}
