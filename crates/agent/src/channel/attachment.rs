//! The workload's standard streams on the channel, and the host that has attached to them.
//!
//! They outlive a session: the workload runs on while no host is attached, and waits once the kernel's pipes are full.

use nex_channel::{Exit, Guest, NotStarted, StreamId};
use nex_contract::{Attach, ChannelStreams, Stdin, TerminalSize, Unstarted};
use nix::poll::PollFd;

use crate::ends::Ends;

/// The workload's streams.
#[derive(Debug, Default)]
pub struct Attachment {
    workload: Workload,
    host: Option<AttachedHost>,
    /// Those of the program that runs, or has run last.
    ends: Option<Ends>,
    size: Option<TerminalSize>,
}

/// What there is to attach to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Workload {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// Nothing: why, in words.
    Nothing(&'static str),
    /// Its streams.
    There,
    /// It has ended for good.
    Over(Exit),
}

#[derive(Clone, Copy, Debug)]
struct AttachedHost {
    stream: StreamId,
    stdin: Stdin,
}

impl Attachment {
    /// Takes a host on, unless there is one.
    pub fn attach(&mut self, guest: &mut Guest, stream: StreamId, attach: Attach) {
        if self.host.is_some() {
            return guest.refuse(stream, "another attach has the workload's streams");
        }
        if let Workload::Nothing(why) = self.workload {
            return guest.refuse(stream, why);
        }
        guest.accept(stream);
        self.host = Some(AttachedHost { stream, stdin: attach.stdin });
        if let Some(size) = attach.size {
            self.resize(size);
        }
    }

    /// Whether it is the stream of the host that has attached.
    pub fn is_of(&self, stream: StreamId) -> bool {
        self.host.is_some_and(|host| host.stream == stream)
    }

    /// The host has gone, or gives its stream up; the workload runs on.
    pub fn detach(&mut self) {
        self.host = None;
    }

    pub fn is_attached(&self) -> bool {
        self.host.is_some()
    }

    /// Gives the workload's terminal another size, now and when it is started again.
    pub fn resize(&mut self, size: TerminalSize) {
        self.size = Some(size);
        if let Some(ends) = &self.ends {
            ends.resize(size);
        }
    }

    /// The workload's streams go by the channel, with the size of its terminal that the host has named last.
    pub fn offer(&mut self, streams: &mut ChannelStreams) {
        self.workload = Workload::There;
        if let (Some(terminal), Some(size)) = (&mut streams.terminal, self.size) {
            terminal.size = size;
        }
    }

    /// There is nothing to attach to.
    pub fn withdraw(&mut self, guest: &mut Guest, why: &'static str) {
        self.workload = Workload::Nothing(why);
        if let Some(host) = self.host.take() {
            guest.refuse(host.stream, why);
        }
    }

    /// The workload has been started, once more or for the first time.
    pub fn begin(&mut self, ends: Ends) {
        if let Some(size) = self.size {
            ends.resize(size);
        }
        self.ends = Some(ends);
    }

    /// The program has ended. What it has written is in the kernel by now.
    pub fn program_ended(&mut self) {
        self.ends.iter_mut().for_each(Ends::program_ended);
    }

    /// Whether the host has got all that the program has written, as far as that is on its way.
    pub fn is_drained(&self) -> bool {
        self.ends.as_ref().is_none_or(Ends::are_drained)
    }

    /// The workload has ended for good, or never began. The first word counts.
    pub fn finish(&mut self, exit: Exit) {
        if !matches!(self.workload, Workload::Over(_)) {
            self.workload = Workload::Over(exit);
        }
    }

    /// The same for what keeps it from starting.
    pub fn could_not_start(&mut self, unstarted: &Unstarted) {
        self.finish(not_started(unstarted));
    }

    /// Whether there is something to do without waiting.
    pub fn is_ready(&self, guest: &Guest) -> bool {
        self.host.zip(self.ends.as_ref()).is_some_and(|(host, ends)| ends.are_ready(guest, host.stream))
    }

    /// Adds what to wait for.
    pub fn wait_for<'a>(&'a self, guest: &Guest, descriptors: &mut Vec<PollFd<'a>>) {
        if let (Some(host), Some(ends)) = (self.host, &self.ends) {
            ends.wait_for(guest, host.stream, descriptors);
        }
    }

    /// Carries bytes both ways, and says how the workload has ended.
    pub fn carry(&mut self, guest: &mut Guest, buffer: &mut [u8]) {
        let Some(host) = self.host else { return };
        if let Some(ends) = &mut self.ends {
            ends.carry_output(guest, host.stream, buffer);
            // A host without input leaves the workload's open.
            if host.stdin == Stdin::Stream {
                ends.carry_input(guest, host.stream);
            }
        }
        if let Workload::Over(exit) = &self.workload
            && self.is_drained()
        {
            guest.exit(host.stream, exit.clone());
            self.host = None;
        }
    }
}

/// Why nothing was started, as the channel says it.
pub fn not_started(unstarted: &Unstarted) -> Exit {
    let code = NotStarted::from_code(unstarted.code).unwrap_or(NotStarted::Other);
    Exit::NotStarted { code, reason: unstarted.reason.clone() }
}
