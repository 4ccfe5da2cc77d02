//! Holds the limits of a run, and touches nothing that belongs to the scripts: whatever holds up the threads that do
//! ([`Worker`]s), the run ends when it has to, and soon.

use std::os::fd::BorrowedFd;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use super::disk;
use super::doing;
use super::memory_events::MemoryEvents;
use super::worker::Worker;
use crate::failure::Failure;
use crate::options::MemoryBound;
use crate::protocol::{Answer, Ending, Limit, Outcome, Setup};
use crate::tree::Changed;
use crate::wire::Channel;

/// How often it is looked.
pub const INTERVAL: Duration = Duration::from_millis(50);

/// So many looks long may a thread be at the same step: 10 seconds, and more on a machine that is too busy to look in time.
const HELD: u32 = 200;

/// When the scripts have ended, the thread that watches them has nothing more to wait for: after so many looks it is not waited
/// for either.
const LOST: u32 = 60;

/// How long processes may take to end that were killed. Who has much memory takes seconds to give it back; who waits for the
/// server of a file system may take for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the guard hears from its workers.
pub enum News {
    /// The scripts have ended so, and a shell begins.
    Shell(Ending),
    /// They take more memory than they may.
    Memory,
    /// There is nothing to watch any more.
    Over(Result<Outcome, Failure>, Seen),
}

/// What was seen of the scripts.
#[derive(Default)]
pub struct Seen {
    /// The line that the last one had come to.
    pub line: Option<u64>,
    /// The first thing that could not be done for want of ids.
    pub refused: Option<String>,
    /// What the disk does not show.
    pub hidden: Changed,
}

/// Scripts that run, and who works for them.
pub struct Guard<'a> {
    /// Init.
    pub init: &'a mut Child,
    /// What runs.
    pub setup: &'a Setup,
    /// The work directory.
    pub place: BorrowedFd<'a>,
    /// What the scripts' cgroup tells, if they are in one.
    pub memory_events: Option<MemoryEvents>,
    /// The line to the caller.
    pub caller: &'a mut Channel,
    /// The number of the script that runs; of the shell, how many scripts there are.
    pub script: Arc<AtomicUsize>,
    /// The thread that watches the scripts and answers their calls.
    pub watch: Worker,
    /// Those that add up their memory, unless a cgroup holds it; they end when the other side is dropped.
    pub samplers: Vec<(Worker, Sender<()>)>,
    /// Where they tell what there is.
    pub news: Receiver<News>,
}

/// A run that is over.
pub struct Ended {
    /// How it ended.
    pub ending: Result<Ending, Failure>,
    /// What the disk does not show.
    pub hidden: Changed,
    /// Whether there still are processes, as the kernel does not let them end.
    pub is_held: bool,
}

impl Guard<'_> {
    /// Waits until the last script has ended, or the shell after it has, or a limit is reached; a shell has all the time that it
    /// wants. Then there are no processes of theirs any more.
    pub fn until_done(mut self) -> Ended {
        let memory = if self.memory_events.is_some() { MemoryBound::Cgroup } else { MemoryBound::Sampled };
        let mut seen = None;
        let outcome = self.until_outcome(&mut seen);
        let start = Instant::now();
        let is_held = match self.end(start) {
            Ok(ended) => !ended,
            Err(message) => return Ended { ending: Err(message), hidden: Changed::new(), is_held: true },
        };
        // How it ended is known; what was seen by then may still be to come, unless that thread is held up.
        while seen.is_none() && self.watch.tend() < LOST {
            match self.next() {
                Ok(Some(News::Over(_, what))) => seen = Some(what),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        let Seen { line, refused, hidden } = seen.unwrap_or_default();
        let ending = outcome.map(|outcome| Ending { outcome, line, memory, refused });
        Ended { ending, hidden, is_held }
    }

    /// How the scripts end, or that they have to.
    fn until_outcome(&mut self, seen: &mut Option<Seen>) -> Result<Outcome, Failure> {
        let (start, mut looked) = (Instant::now(), Instant::now());
        loop {
            match self.next()? {
                Some(News::Shell(ending)) => {
                    let told = self.caller.send_now(&Answer::Shell(ending));
                    told.map_err(doing("telling how the scripts ended"))?;
                }
                Some(News::Memory) => return Ok(self.limit(Limit::Memory)),
                Some(News::Over(outcome, what)) => {
                    *seen = Some(what);
                    return outcome;
                }
                None => {}
            }
            if looked.elapsed() >= INTERVAL {
                looked = Instant::now();
                if let Some(limit) = self.reached(start)? {
                    return Ok(self.limit(limit));
                }
            }
        }
    }

    /// The next news; `None` when there is none for a while.
    fn next(&self) -> Result<Option<News>, Failure> {
        // In this order: who has ended has said what there was to say.
        let has_ended = self.watch.has_ended();
        match self.news.recv_timeout(INTERVAL) {
            Ok(news) => Ok(Some(news)),
            Err(_) if has_ended => Err("the watch over the scripts has failed".into()),
            Err(_) => Ok(None),
        }
    }

    fn limit(&self, limit: Limit) -> Outcome {
        Outcome::Limit { script: self.script.load(Ordering::Relaxed), limit }
    }

    /// The limit that is reached.
    fn reached(&mut self, start: Instant) -> Result<Option<Limit>, Failure> {
        if self.caller.is_closed().map_err(doing("looking for the caller"))? {
            return Err("the caller is gone".into());
        }
        let in_shell = self.script.load(Ordering::Relaxed) >= self.setup.world.scripts.len();
        let held = self.tend();
        Ok(if !in_shell && start.elapsed() > self.setup.world.limits.time {
            Some(Limit::Time)
        } else if self.memory_events.as_ref().is_some_and(MemoryEvents::has_run_out) {
            Some(Limit::Memory)
        } else if held > HELD {
            Some(Limit::Sight)
        } else {
            disk::limit(self.place)?
        })
    }

    /// Has workers go on that are held up. Gives for how many looks one of them has been.
    fn tend(&mut self) -> u32 {
        self.samplers.iter_mut().map(|(sampler, _)| sampler.tend()).fold(self.watch.tend(), u32::max)
    }

    /// Ends init, and with it every process in its namespace. Gives whether all have ended.
    fn end(&mut self, start: Instant) -> Result<bool, Failure> {
        self.samplers.clear();
        self.init.kill().ok();
        let ended = (|| {
            let process = rustix::process::pidfd_open(Pid::from_child(self.init), PidfdFlags::empty())?;
            let interval = Timespec { tv_sec: 0, tv_nsec: INTERVAL.subsec_nanos().into() };
            while rustix::event::poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&interval))? == 0 {
                if start.elapsed() > PATIENCE {
                    return Ok(false);
                }
                self.tend();
            }
            self.init.wait().map(|_| true)
        })();
        ended.map_err(doing("waiting for the end of the scripts"))
    }
}
