//! Adds up the memory of the scripts, many times a second, where no cgroup holds it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use super::guard::{INTERVAL, News};
use super::memory::Memory;
use super::memory_files::MemoryFiles;
use super::worker::Pulse;

/// Who adds up.
pub struct Sampler {
    /// Init's number: what is below it counts.
    pub init: u32,
    /// How many bytes there may be.
    pub limit: u64,
    /// Files in memory, which are in no process.
    pub files: Arc<Mutex<MemoryFiles>>,
    /// Where it is told that there is more.
    pub news: Sender<News>,
    /// Its other side is dropped at the end.
    pub until: Receiver<()>,
}

impl Sampler {
    /// Looks again and again until there is too much, or it is the end.
    pub fn run(self, pulse: &Pulse) {
        let mut memory = Memory::default();
        while self.until.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            pulse.beat();
            let files = || self.files.lock().unwrap_or_else(PoisonError::into_inner).bytes();
            if memory.below(self.init, self.limit).saturating_add(files()) > self.limit {
                self.news.send(News::Memory).ok();
                return;
            }
        }
    }
}
