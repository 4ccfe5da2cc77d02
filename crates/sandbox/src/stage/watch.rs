//! Watches the scripts while they run: what init reports of them, and their calls.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::doing;
use super::guard::{INTERVAL, News, Seen};
use super::memory_events::MemoryEvents;
use super::script_lines::ScriptLines;
use super::sockets::Lent;
use super::supervisor::{MOST_DEVICES, MemoryLimit, Supervisor};
use super::worker::Pulse;
use crate::failure::Failure;
use crate::options::MemoryBound;
use crate::protocol::{Ending, Limit, Outcome, Report, Setup};
use crate::tree::Changed;
use crate::wire::{Channel, receive_files};

/// Scripts that run.
pub struct Watch {
    /// The line to init.
    pub init: Channel,
    /// Init's number.
    pub pid: u32,
    /// Where init passes the file that tells of calls.
    pub calls: UnixStream,
    /// What runs.
    pub setup: Arc<Setup>,
    /// Whether a shell follows.
    pub shell: bool,
    /// What the scripts' cgroup tells, if they are in one.
    pub memory_events: Option<MemoryEvents>,
    /// The limit on memory otherwise.
    pub memory: Option<MemoryLimit>,
    /// Sockets that are made for the scripts.
    pub lent: Arc<Mutex<Lent>>,
    /// What the disk does not show.
    pub hidden: Changed,
    /// The number of the script that runs, for others.
    pub script: Arc<AtomicUsize>,
    /// Where it is told what happens.
    pub news: Sender<News>,
}

/// What there is besides, while they run.
#[derive(Default)]
struct Watched<'a> {
    supervisor: Option<Supervisor>,
    lines: Option<ScriptLines<'a>>,
}

impl Watched<'_> {
    fn line(&self) -> Option<u64> {
        self.lines.as_ref().and_then(ScriptLines::line)
    }

    fn refused(&self) -> Option<String> {
        self.supervisor.as_ref().and_then(|supervisor| supervisor.refused.clone())
    }
}

impl Watch {
    /// Watches until init has told how the last script ended, or the shell after it has, or a limit is reached.
    pub fn run(mut self, pulse: &Pulse) {
        let setup = Arc::clone(&self.setup);
        let mut watched = Watched::default();
        let outcome = self.until_done(&setup, &mut watched, pulse);
        let (line, refused) = (watched.line(), watched.refused());
        let hidden = watched.supervisor.map_or(self.hidden, |supervisor| supervisor.hidden);
        // When there is nobody to tell, nobody waits for it.
        self.news.send(News::Over(outcome, Seen { line, refused, hidden })).ok();
    }

    fn until_done<'a>(
        &mut self,
        setup: &'a Setup,
        watched: &mut Watched<'a>,
        pulse: &Pulse,
    ) -> Result<Outcome, Failure> {
        let scripts = &setup.world.scripts;
        let mut ended = Outcome::Done;
        let has_run_out = |events: &Option<MemoryEvents>| events.as_ref().is_some_and(MemoryEvents::has_run_out);
        loop {
            pulse.beat();
            let limit = |limit| Ok(Outcome::Limit { script: self.script.load(Ordering::Relaxed), limit });
            if watched.supervisor.as_ref().is_some_and(Supervisor::has_too_many_devices) {
                return limit(Limit::Devices(MOST_DEVICES));
            }
            let Ready { call, report } = ready(&self.init, watched.supervisor.as_ref())?;
            // What init has said before the call comes first: it may be that the caller is the next script.
            if !report {
                if let (true, Some(supervisor)) = (call, &mut watched.supervisor) {
                    supervisor.answer(watched.lines.as_mut(), pulse);
                }
                continue;
            }
            let said = self.init.receive();
            // Init itself may be killed for want of memory, and how a script ends may come of that.
            if matches!(said, Err(_) | Ok(Report::Ended { .. })) && has_run_out(&self.memory_events) {
                return limit(Limit::Memory);
            }
            match said.map_err(doing("waiting for the scripts"))? {
                Report::Listening => {
                    let listener = receive_files(&self.calls).map_err(doing("listening to the scripts"))?.pop();
                    let (hidden, memory) = (std::mem::take(&mut self.hidden), self.memory.take());
                    let lent = Arc::clone(&self.lent);
                    watched.supervisor = listener.map(|file| Supervisor::new(file, self.pid, hidden, memory, lent));
                }
                Report::Began { script, file } => {
                    self.script.store(script, Ordering::Relaxed);
                    watched.lines = scripts.get(script).map(|script| ScriptLines::new(script, file, self.pid));
                }
                Report::Ended { script, status, signalled } => {
                    ended = match status {
                        0 => Outcome::Done,
                        signal if signalled => Outcome::Signal { script, signal },
                        code => Outcome::Exit { script, code },
                    };
                    if !self.shell && (status != 0 || script + 1 >= scripts.len()) {
                        return Ok(ended);
                    }
                }
                Report::Shell => {
                    self.script.store(scripts.len(), Ordering::Relaxed);
                    self.news.send(News::Shell(self.ending(ended.clone(), watched))).ok();
                }
                Report::ShellEnded => return Ok(ended),
                Report::Failed(message) => return Err(message),
                Report::Unshared => return Err("init spoke out of turn".into()),
            }
        }
    }

    fn ending(&self, outcome: Outcome, watched: &Watched) -> Ending {
        let memory = if self.memory_events.is_some() { MemoryBound::Cgroup } else { MemoryBound::Sampled };
        Ending { outcome, line: watched.line(), memory, refused: watched.refused() }
    }
}

/// What there is to read.
struct Ready {
    call: bool,
    report: bool,
}

fn ready(init: &Channel, supervisor: Option<&Supervisor>) -> Result<Ready, Failure> {
    if init.has_buffered() {
        return Ok(Ready { call: false, report: true });
    }
    // In this order, as they are looked at one after the other: what init said before a call is there when the call is.
    let mut files: Vec<_> = supervisor
        .map(|supervisor| PollFd::from_borrowed_fd(supervisor.listener(), PollFlags::IN))
        .into_iter()
        .collect();
    files.push(PollFd::new(init.socket(), PollFlags::IN));
    let interval = Timespec { tv_sec: 0, tv_nsec: INTERVAL.subsec_nanos().into() };
    match rustix::event::poll(&mut files, Some(&interval)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(doing("waiting for the scripts")(error)),
    }
    let report = files.pop().is_some_and(|init| !init.revents().is_empty());
    let call = files.pop().is_some_and(|listener| listener.revents().intersects(PollFlags::IN));
    Ok(Ready { call, report })
}
