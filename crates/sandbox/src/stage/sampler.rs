//! Adds up the memory of the scripts, many times a second, where no cgroup holds it.
//!
//! Two threads do it. What belongs to processes is told at once, however many there are; what waits in pipes and sockets takes
//! longer to look at, and is looked at only if it could take the scripts past their limit, or pipes may be where nobody counts them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::guard::{INTERVAL, News};
use super::memory::Looks;
use super::memory_files::MemoryFiles;
use super::socket_memory::SocketMemory;
use super::sockets::Lent;
use super::tasks::Process;
use super::uncounted::most_in_a_pipe;
use super::worker::Pulse;
use crate::uplink::Uplink;

/// The part of the time that looking at pipes and sockets may take, where they could take the scripts past their limit, and
/// elsewhere: one in so many.
const PART: u32 = 10;
const SMALL_PART: u32 = 40;

/// The longest time between two looks.
const LONGEST: Duration = Duration::from_secs(1);

/// What both know.
#[derive(Default)]
pub struct Sum {
    /// What processes and files in memory take, in bytes.
    memory: AtomicU64,
    /// Files that processes have open.
    files: AtomicU64,
    /// What waits in pipes and sockets, in bytes.
    waiting: AtomicU64,
}

/// Who adds up what belongs to processes, and all together.
pub struct Sampler {
    /// Init's number: what is below it counts.
    pub init: u32,
    /// How many bytes there may be.
    pub limit: u64,
    /// Files in memory, which are in no process.
    pub files: Arc<Mutex<MemoryFiles>>,
    /// What is known by now.
    pub sum: Arc<Sum>,
    /// Where it is told that there is more.
    pub news: Sender<News>,
    /// Its other side is dropped at the end.
    pub until: Receiver<()>,
}

impl Sampler {
    /// Looks again and again until there is too much, or it is the end.
    pub fn run(self, pulse: &Pulse) {
        let mut looks = Looks::default();
        while self.until.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            pulse.beat();
            let taken = looks.taken(self.init, self.limit);
            let files = self.files.lock().unwrap_or_else(PoisonError::into_inner).bytes();
            let memory = taken.memory.saturating_add(files);
            self.sum.memory.store(memory, Ordering::Relaxed);
            self.sum.files.store(taken.files, Ordering::Relaxed);
            if memory.saturating_add(self.sum.waiting.load(Ordering::Relaxed)) > self.limit {
                self.news.send(News::Memory).ok();
                return;
            }
        }
    }
}

/// Who adds up what waits in pipes and sockets.
pub struct WaitingSampler {
    /// Init's number: what is below it counts.
    pub init: u32,
    /// How many bytes there may be in all.
    pub limit: u64,
    /// How the scripts get at the network.
    pub uplink: Uplink,
    /// Sockets that were made for them.
    pub lent: Arc<Mutex<Lent>>,
    /// What is known by now.
    pub sum: Arc<Sum>,
    /// Its other side is dropped at the end.
    pub until: Receiver<()>,
}

impl WaitingSampler {
    /// Looks again and again until it is the end.
    pub fn run(self, pulse: &Pulse) {
        let mut sockets = SocketMemory::enter(self.init, self.uplink, self.lent);
        let mut next = Instant::now();
        while self.until.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            pulse.beat();
            if Instant::now() < next {
                continue;
            }
            let files = self.sum.files.load(Ordering::Relaxed);
            let most = files.saturating_mul(most_in_a_pipe()).saturating_add(sockets.most(files));
            let is_bounded = self.sum.memory.load(Ordering::Relaxed).saturating_add(most) <= self.limit;
            let (mut waiting, start) = (0, Instant::now());
            if !is_bounded || sockets.may_pass_files() {
                waiting = sockets.add_up(&Process::below(self.init), self.limit, pulse);
            }
            self.sum.waiting.store(waiting, Ordering::Relaxed);
            let pause = start.elapsed() * if is_bounded { SMALL_PART } else { PART };
            next = Instant::now() + pause.min(LONGEST);
        }
    }
}
