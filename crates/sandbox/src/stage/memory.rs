//! The memory that the scripts' processes take, by what the kernel tells of each.

use super::tasks::{Distinct, Process};
use crate::sys::Common;

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

impl Taken {
    /// What all of them have together. What they share counts once only where it could be past a limit otherwise: a process that
    /// starts another one lends it its memory for a moment (vfork(2)).
    pub fn by(processes: &[Process], limit: u64) -> Self {
        let roughly = Self::of(processes, |_| true);
        if roughly.memory <= limit {
            return roughly;
        }
        let mut seen = Distinct::new(Common::Memory);
        Self::of(processes, |thread| seen.is_new(thread).unwrap_or(true))
    }

    /// The same, of the memories that count; each is asked for by a thread that has it.
    fn of(processes: &[Process], mut counts: impl FnMut(u32) -> bool) -> Self {
        let mut taken = Self::default();
        for process in processes {
            let memory = process.find(|thread| Some((*thread, memory(&status(*thread)?)?)));
            let memory = memory.filter(|(thread, _)| counts(*thread)).map_or(0, |(_, bytes)| bytes);
            // The tables of one process: those that processes share are counted for each.
            let tables = &mut Distinct::new(Common::OpenFiles);
            let files = process.tables(tables).map(open_files).fold(0, u64::saturating_add);
            taken.memory = taken.memory.saturating_add(memory).saturating_add(files.saturating_mul(OPEN_FILE));
            taken.files = taken.files.saturating_add(files);
        }
        taken
    }
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
