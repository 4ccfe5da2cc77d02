//! Bounds the memory that processes map together without a file. A process may tell the kernel that it does not need what it
//! has written there, and give no page of it back: nothing tells then how much there is.
//!
//! So what is mapped has a limit in all, from one moment without any such mapping to the next. Whether it is such a moment is seen by
//! the mappings of all processes, which take long to look at where there are very many.

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::tasks::Process;
use super::worker::Pulse;

/// As the kernel names such mappings, and as it begins to when a process has named one itself (`PR_SET_VMA_ANON_NAME`).
const NAME: &[u8] = b"/dev/zero (deleted)";
const NAMED: &[u8] = b"[anon_shmem:";

/// So many bytes of its list of mappings are read for a process, and for all together. What has more to tell counts as if it had
/// such a mapping: 8,000 mappings of a process are less, and 100 processes with 2,000 each.
const LONGEST: u64 = 1 << 20;
const LONGEST_OF_ALL: u64 = 16 << 20;

/// A look that took longer makes the next one wait.
const SHORT: Duration = Duration::from_millis(5);

/// The part of the time that long looks may take: one in so many.
const PART: u32 = 10;

/// What was mapped.
#[derive(Default)]
pub struct SharedMappings {
    granted: u64,
    /// The thread by which such a mapping was found last: it is asked first.
    known: Option<u32>,
    /// When it may be looked again.
    next: Option<Instant>,
}

impl SharedMappings {
    /// Whether processes below init may map so many bytes more.
    pub fn grant(&mut self, bytes: u64, init: u32, limit: u64, pulse: &Pulse) -> bool {
        let fits = |granted: u64| granted.checked_add(bytes).filter(|sum| *sum <= limit);
        if fits(self.granted).is_none() && bytes <= limit && !self.may_be_any(init, pulse) {
            self.granted = 0;
        }
        match fits(self.granted) {
            Some(sum) => {
                self.granted = sum;
                true
            }
            None => false,
        }
    }

    /// Whether there may be such a mapping.
    fn may_be_any(&mut self, init: u32, pulse: &Pulse) -> bool {
        let start = Instant::now();
        if self.next.is_some_and(|next| start < next) {
            return true;
        }
        let mut left = LONGEST_OF_ALL;
        let known = self.known.take().filter(|thread| has_one(*thread, &mut left) == Some(true));
        self.known = known.or_else(|| {
            Process::below(init).into_iter().find_map(|process| {
                pulse.beat();
                process.find(|thread| has_one(*thread, &mut left).map(|has| has.then_some(*thread)))?
            })
        });
        let took = start.elapsed();
        self.next = (took > SHORT).then(|| start + took * PART);
        self.known.is_some()
    }
}

/// Whether a thread's process has such a mapping, or so many others that nobody reads on. `None` for a thread that has ended.
fn has_one(thread: u32, left: &mut u64) -> Option<bool> {
    let maps = match File::open(format!("/proc/{thread}/maps")) {
        Ok(maps) => maps,
        // It is there, and cannot be looked at.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Some(true),
        Err(_) => return None,
    };
    let most = LONGEST.min(*left);
    let (mut text, mut ends) = (Vec::new(), maps.take(most));
    match ends.read_to_end(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Some(true),
        // The process has ended meanwhile.
        Err(_) | Ok(0) if most > 0 => return None,
        _ => {}
    }
    let length = text.len() as u64;
    *left -= length;
    let is_one = |line: &[u8]| line.ends_with(NAME) || line.windows(NAMED.len()).any(|part| part == NAMED);
    Some(length == most || text.split(|byte| *byte == b'\n').any(is_one))
}
