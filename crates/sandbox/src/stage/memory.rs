//! The memory that the scripts' processes take, by what the kernel tells of each.

use std::time::Instant;

use super::tasks::{Distinct, Process};
use crate::sys::Common;

/// The part of the time that looking at shared pages may take: one in so many.
const PART: u32 = 10;

/// What the kernel keeps for an open file at least: the file itself, its inode, its name.
const OPEN_FILE: u64 = 1 << 10;

/// What processes have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Memory that no file on a disk stands behind, and what the kernel keeps for open files, in bytes.
    pub memory: u64,
    /// Files that may be open.
    pub files: u64,
}

/// Looks again and again.
#[derive(Default)]
pub struct Looks {
    /// What was found when somebody looked at what processes share: by all pages, and with shared ones once.
    exactly: Option<(u64, u64)>,
    /// When it may be looked at again, which takes longer.
    next: Option<Instant>,
}

impl Looks {
    /// What all processes below init have together. What they share counts once, as far as it matters: where it could be past a limit
    /// otherwise. A process that starts another one lends it its memory for a moment (vfork(2)), or shares what neither writes to (fork(2)).
    pub fn taken(&mut self, init: u32, limit: u64) -> Taken {
        let roughly = Taken::of(init, |_| true, resident);
        if roughly.memory <= limit {
            return roughly;
        }
        let mut seen = Distinct::new(Common::Memory);
        let counted = Taken::of(init, |thread| seen.is_new(thread).unwrap_or(true), resident);
        if counted.memory <= limit {
            return counted;
        }
        let start = Instant::now();
        if let Some((all, exact)) = self.exactly.filter(|_| self.next.is_some_and(|next| start < next)) {
            // What has come since.
            return Taken { memory: exact.saturating_add(counted.memory.saturating_sub(all)), ..counted };
        }
        let mut seen = Distinct::new(Common::Memory);
        let exactly = Taken::of(init, |thread| seen.is_new(thread).unwrap_or(true), proportional);
        self.exactly = Some((counted.memory, exactly.memory));
        self.next = Some(Instant::now() + start.elapsed() * PART);
        exactly
    }
}

impl Taken {
    /// What the processes have of the memories that count; each is asked for by a thread that has it, as soon as it is known.
    fn of(init: u32, mut counts: impl FnMut(u32) -> bool, memory: fn(u32) -> Option<u64>) -> Self {
        let mut taken = Self::default();
        Process::each_below(init, |process| {
            let memory = process.find(|thread| Some((*thread, memory(*thread)?)));
            let memory = memory.filter(|(thread, _)| counts(*thread)).map_or(0, |(_, bytes)| bytes);
            // The tables of one process: those that processes share are counted for each.
            let tables = &mut Distinct::new(Common::OpenFiles);
            let files = process.tables(tables).map(open_files).fold(0, u64::saturating_add);
            taken.memory = taken.memory.saturating_add(memory).saturating_add(files.saturating_mul(OPEN_FILE));
            taken.files = taken.files.saturating_add(files);
        });
        taken
    }
}

/// The memory of the process that a thread is of, by all pages that it has. Nothing of a thread that has ended.
fn resident(thread: u32) -> Option<u64> {
    memory(&status(thread)?)
}

/// The same, with its part of the pages that others have, too. Where nobody may look at that, they count as its own.
fn proportional(thread: u32) -> Option<u64> {
    let told = std::fs::read_to_string(format!("/proc/{thread}/smaps_rollup")).ok();
    let told = told.and_then(|told| Some(number(&told, "Pss_Anon")?.saturating_add(number(&told, "Pss_Shmem")?)));
    told.map(|kibibytes| kibibytes.saturating_mul(1024)).or_else(|| resident(thread))
}

fn status(thread: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{thread}/status")).ok()
}

/// A field's number.
fn number(status: &str, field: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

/// The memory of the process that a thread is of. Nothing of a thread that has ended.
fn memory(status: &str) -> Option<u64> {
    let kibibytes = number(status, "RssAnon")?.saturating_add(number(status, "RssShmem")?);
    Some(kibibytes.saturating_mul(1024))
}

/// How many files a thread may have open. That is told of all threads, also of those that may not be looked at.
pub fn open_files(thread: u32) -> u64 {
    // Their number, from Linux 6.2 on; before that, there is the room for them, which only grows.
    match std::fs::metadata(format!("/proc/{thread}/fd")).map_or(0, |directory| directory.len()) {
        0 => status(thread).and_then(|status| number(&status, "FDSize")).unwrap_or(0),
        counted => counted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_has_ended_tells_nothing() {
        let living =
            "Name:\tx\nFDSize:\t64\nRssAnon:\t    100 kB\nRssFile:\t    7 kB\nRssShmem:\t       4 kB\nThreads:\t2\n";
        assert_eq!(memory(living), Some(104 << 10));
        assert_eq!(number(living, "FDSize"), Some(64));
        assert_eq!(memory("Name:\tx\nState:\tZ (zombie)\nThreads:\t2\n"), None);
    }
}
