//! Programs that run for streams of the channel.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

use nex_channel::{Exit, Guest, Signal, StreamId};
use nex_contract::{TerminalSize, Unstarted};
use nex_protocol::Ended;
use nix::poll::PollFd;
use rustix::process::{Pid, WaitStatus};

use super::attachment::not_started;
use crate::ends::Ends;
use crate::process::{Children, Process};
use crate::spawn::{Job, OtherEnds};
use crate::tree::{Tree, Trees};

/// How many programs may have been killed and be in the kernel still, before no other is started.
const MOST_DYING: usize = nex_channel::MAX_STREAMS;

/// The programs by stream, and those that have been killed.
#[derive(Debug)]
pub struct Execs {
    trees: Trees,
    children: Children,
    running: BTreeMap<StreamId, Running>,
    dying: Vec<Dying>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    ends: Ends,
    tree: Tree,
}

/// A program that was killed, and is not reaped.
#[derive(Debug)]
struct Dying {
    process: Process,
    tree: Tree,
    /// The stream whose end it is, if that is to be told.
    stream: Option<StreamId>,
}

impl Execs {
    pub fn new(trees: Trees, children: Children) -> Self {
        Self { trees, children, running: BTreeMap::new(), dying: Vec::new() }
    }

    /// Starts a program for a stream, or says why not.
    pub fn start(&mut self, guest: &mut Guest, stream: StreamId, job: &Job) {
        if self.dying.len() >= MOST_DYING {
            return guest.refuse(stream, "too many programs that were killed have not ended yet");
        }
        let tree = self.trees.grow();
        match job.spawn(tree.entrance(), self.children).map(|spawned| (spawned.process, spawned.others)) {
            Ok((process, OtherEnds::Channel(ends))) => {
                guest.accept(stream);
                self.running.insert(stream, Running { process, ends, tree });
            }
            // Its job asks for streams of the channel.
            Ok((process, OtherEnds::Nowhere | OtherEnds::Lines(..))) => {
                guest.accept(stream);
                self.dying.push(Dying { process, tree, stream: Some(stream) });
            }
            Err(unstarted) => {
                guest.exit(stream, not_started(&unstarted));
                self.trees.leave(tree);
            }
        }
    }

    /// Sends a signal to a stream's program and its group.
    pub fn signal(&self, stream: StreamId, signal: Signal) {
        if let Some(running) = self.running.get(&stream) {
            running.process.signal(signal.number().into());
        }
    }

    /// Sends a signal to each program and its group, and with SIGKILL to what those have started.
    pub fn signal_all(&self, signal: nix::sys::signal::Signal) {
        for Running { process, tree, .. } in self.running.values() {
            process.signal(signal as i32);
            if signal == nix::sys::signal::Signal::SIGKILL {
                tree.kill(process.running());
            }
        }
    }

    /// Gives a stream's terminal another size.
    pub fn resize(&self, stream: StreamId, size: TerminalSize) {
        if let Some(running) = self.running.get(&stream) {
            running.ends.resize(size);
        }
    }

    /// Kills all that runs for a stream, and confirms it once that has happened.
    pub fn kill(&mut self, guest: &mut Guest, stream: StreamId) {
        let Some(Running { process, tree, .. }) = self.running.remove(&stream) else { return };
        tree.kill(process.running());
        match exit_of(&process) {
            Some(exit) => {
                guest.exit(stream, exit);
                self.trees.leave(tree);
            }
            None => self.dying.push(Dying { process, tree, stream: Some(stream) }),
        }
    }

    /// Kills all that runs for the streams of a session that is over.
    pub fn kill_all(&mut self) {
        for dying in &mut self.dying {
            dying.stream = None;
        }
        for (_, Running { process, tree, .. }) in std::mem::take(&mut self.running) {
            tree.kill(process.running());
            self.dying.push(Dying { process, tree, stream: None });
        }
    }

    /// Gives up the streams whose programs have not ended, as the machine is about to.
    pub fn give_up(&mut self, guest: &mut Guest, why: &str) {
        let streams: Vec<StreamId> = self
            .running
            .iter()
            .filter(|(_, running)| running.process.end().is_none())
            .map(|(stream, _)| *stream)
            .collect();
        streams.into_iter().for_each(|stream| self.kill(guest, stream));
        for stream in self.dying.iter_mut().filter_map(|dying| dying.stream.take()) {
            guest.refuse(stream, why);
        }
    }

    /// Whether one of them runs.
    pub fn run(&self) -> bool {
        !self.running.values().all(|running| running.process.end().is_some())
            || !self.dying.iter().all(|dying| dying.process.end().is_some())
    }

    /// Whether there is something to do without waiting.
    pub fn are_ready(&self, guest: &Guest) -> bool {
        self.running.iter().any(|(stream, running)| running.ends.are_ready(guest, *stream))
    }

    /// Adds what to wait for.
    pub fn wait_for<'a>(&'a self, guest: &Guest, descriptors: &mut Vec<PollFd<'a>>) {
        for (stream, running) in &self.running {
            running.ends.wait_for(guest, *stream, descriptors);
        }
    }

    /// What becomes readable when one of them has ended, where no signal tells.
    pub fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let running = self.running.values().map(|running| &running.process);
        running.chain(self.dying.iter().map(|dying| &dying.process)).filter_map(Process::waits_for)
    }

    /// Takes an exit status, if it is that of one of them.
    pub fn take_status(&mut self, pid: Pid, status: WaitStatus) {
        if !self.running.values_mut().any(|running| running.take_status(pid, status)) {
            let _ = self.dying.iter_mut().any(|dying| dying.process.take_status(pid, status));
        }
    }

    /// Looks for the exit status of each.
    pub fn look(&mut self) {
        self.running.values_mut().for_each(Running::look);
        self.dying.iter_mut().for_each(|dying| dying.process.look());
    }

    /// Carries bytes both ways, and ends the streams whose programs have ended.
    pub fn carry(&mut self, guest: &mut Guest, buffer: &mut [u8]) {
        let Self { trees, running, dying, .. } = self;
        for (stream, running) in running.iter_mut() {
            running.ends.carry_output(guest, *stream, buffer);
            running.ends.carry_input(guest, *stream);
        }
        running.retain(|stream, running| match exit_of(&running.process) {
            Some(exit) if running.ends.are_drained() => {
                guest.exit(*stream, exit);
                trees.leave(running.tree.take());
                false
            }
            _ => true,
        });
        for Dying { process, tree, stream } in dying.extract_if(.., |dying| dying.process.end().is_some()) {
            if let (Some(stream), Some(exit)) = (stream, exit_of(&process)) {
                guest.exit(stream, exit);
            }
            trees.leave(tree);
        }
    }
}

impl Running {
    fn take_status(&mut self, pid: Pid, status: WaitStatus) -> bool {
        let is_its = self.process.take_status(pid, status);
        if is_its {
            self.ends.program_ended();
        }
        is_its
    }

    fn look(&mut self) {
        if self.process.end().is_none() {
            self.process.look();
            if self.process.end().is_some() {
                self.ends.program_ended();
            }
        }
    }
}

/// How a process has ended, once it has.
fn exit_of(process: &Process) -> Option<Exit> {
    process.unstarted().map(not_started).or_else(|| process.end().map(exit))
}

/// How a program ended, as the channel says it.
pub fn exit(end: Ended) -> Exit {
    match end {
        Ended::Code(code) => Exit::Code(code),
        Ended::Signal(number) => Signal::new(number).map_or(Exit::Code(number), Exit::Signal),
        Ended::Unstarted(code) => not_started(&Unstarted::new(code, "it could not be started")),
    }
}
