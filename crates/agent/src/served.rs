//! A guest without a machine: the agent's core serves a host from the process that calls it, and the workload is a program of this
//! machine.
//!
//! For doubles of VMMs and for tests: what programs, terminals, signals and the channel do is what they do in a guest. What only an init
//! can do is left out: mounts, orphans, the end of the machine.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nex_contract::Workload;
use nex_protocol::{EndBy, Event, MachineEnd, Role};

use crate::carrier::Carrier;
use crate::channel::{Channel, ChannelOptions};
use crate::clock::uptime_ms;
use crate::host::Host;
use crate::process::Children;
use crate::shutdown::{self, LAST_WORDS};
use crate::supervisor::{Asks, Supervisor};
use crate::tree::Trees;
use crate::workload::{self, Outcome};

/// What is served.
#[derive(Debug)]
pub struct Served {
    /// The workload, which names a program of this machine.
    pub workload: Workload,
    /// The agent's end of the channel.
    pub carrier: Carrier,
    /// Where the agent's lines go (`docs/guest-protocol.md`).
    pub lines: OwnedFd,
    /// What becomes readable, or is closed at its other end, when all is to end: what Ctrl-Alt-Del is to a machine.
    pub end: OwnedFd,
    /// A control group of version 2 in which the caller may make others, each for a program and what that starts. In any other directory,
    /// such as an empty one, there are none.
    pub groups: PathBuf,
    /// A `nex-agent`, which packs and unpacks tars.
    pub own_program: PathBuf,
}

/// Serves the host until the workload has ended for good, or all is to end. Of the programs that it has started none is left then, but
/// for those that have left their session where there are no control groups.
///
/// It waits for no child but its own, so that it may run in a thread.
pub fn serve(served: Served) {
    let Served { workload, carrier, lines, end, groups, own_program } = served;
    let start_ms = uptime_ms();
    let mut host = Host::of_descriptor(lines);
    host.tell_start(Role::Init, start_ms);
    host.tell_ready(Role::Init, start_ms);
    let mut supervisor = Supervisor::asked_by(host, Asks::Descriptor(Some(end)));
    supervisor.channel =
        Some(Channel::new(carrier, ChannelOptions { groups: &groups, children: Children::Own, own_program }));
    supervisor.tree = Some(Trees::new(&groups, "nex-workload").grow());
    if let Outcome::Asked(signal) = workload::run_described(&mut supervisor, workload) {
        supervisor.host.note(format!("{} received, ending", signal.as_str()));
    }
    shutdown::end_programs(&mut supervisor, Supervisor::signal_own);
    supervisor.host.tell(&Event::End(MachineEnd { by: EndBy::PowerOff, uptime_ms: uptime_ms() }));
    supervisor.host.flush(LAST_WORDS);
}
