//! What is still on its way when the guest has ended.

use std::time::{Duration, Instant};

use nex_channel::{Exit, NotStarted, Signal};
use nex_guest::{Waker, deadline, wait_for};
use nex_supervise::Reason;

use crate::report::End;
use crate::supervisor::Supervisor;

/// How long clients may take for what they have asked for. The starter may take as long as it likes.
const PATIENCE: Duration = Duration::from_secs(10);

impl Supervisor<'_> {
    /// Passes on what is still there, until all have got it, until those who have not are too late, or until somebody wants an end.
    pub(super) fn drain(&mut self, reason: Reason) {
        let patience = Instant::now() + PATIENCE;
        loop {
            // Those who are too late would hold the starter's output.
            if Instant::now() >= patience {
                for key in self.clients.dismiss_others() {
                    self.channel.forget(key);
                }
            }
            self.clients.distribute(&mut self.output);
            self.channel.pump(&mut self.clients, &mut self.output);
            if self.output.is_empty() && !self.channel.has_rest() {
                self.tell_program_end();
                self.clients.refuse(&format!("the guest has ended: {reason}"));
            }
            self.clients.flush();
            let starter_waits = self.clients.starter_is_waiting();
            let is_unread = !self.output.is_empty() || self.channel.has_rest();
            let others_wait = (self.clients.are_waiting() || is_unread) && Instant::now() < patience;
            if !starter_waits && !others_wait {
                return;
            }
            let until = if others_wait { patience } else { deadline(Instant::now(), None) };
            let (ready, wakers): (Vec<_>, Vec<_>) = self.clients.wakers().unzip();
            let stop = Waker::read(self.stop.file());
            let wakers: Vec<_> = wakers.into_iter().chain([stop]).collect();
            match wait_for(&wakers, until) {
                Ok(woken) if woken.contains(&ready.len()) => return,
                Ok(woken) => {
                    let woken: Vec<_> = woken.into_iter().filter_map(|index| ready.get(index).copied()).collect();
                    // Nothing can be asked of a guest that has ended.
                    woken.into_iter().for_each(|ready| drop(self.clients.advance(ready)));
                }
                Err(_) => return,
            }
        }
    }

    /// Tells those who are connected with the program how it has ended, once they have all of its output.
    pub(super) fn tell_program_end(&mut self) {
        if let Some(end) = self.record.report.end.filter(|_| !self.are_told) {
            self.are_told = true;
            self.clients.exit(&exit(end, &self.record.report.agent_failures.join("; ")));
        }
    }
}

/// An end as the channel has it.
fn exit(end: End, why: &str) -> Exit {
    let not_started = |code| Exit::NotStarted { code, reason: why.to_owned() };
    match end {
        End::Code(code) => Exit::Code(code),
        End::Signal(signal) => Signal::new(signal).map_or(Exit::Code(end.exit_code()), Exit::Signal),
        End::Unstarted(code) => not_started(NotStarted::from_code(code).unwrap_or(NotStarted::Other)),
    }
}
