//! What is done when a program is ended by force, and nothing of it is dropped any more: guests end, and their directories go.
//!
//! Guests would end all the same; so what is done here is done for the disk, and in a bounded time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

type Task = Box<dyn FnOnce() + Send>;

/// What is to be done, the latest last.
static TASKS: Mutex<Vec<(u64, Task)>> = Mutex::new(Vec::new());
/// Makes them differ.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Has something done at a forced end that comes while this is there.
pub struct AtForcedEnd(u64);

impl AtForcedEnd {
    /// Has this done before all that others have asked for earlier.
    pub fn run(task: impl FnOnce() + Send + 'static) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        tasks().push((number, Box::new(task)));
        Self(number)
    }
}

impl Drop for AtForcedEnd {
    fn drop(&mut self) {
        tasks().retain(|(number, _)| *number != self.0);
    }
}

fn tasks() -> MutexGuard<'static, Vec<(u64, Task)>> {
    TASKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends all guests of this program, and removes what stands on the disk for them, as far as that is done within this time.
///
/// For a program that ends at once, whatever its other threads are at. What is not done, the next one who starts such a guest does.
pub fn end_guests(patience: Duration) {
    let (done, ended) = mpsc::channel::<()>();
    let work = move || {
        loop {
            // Whoever drops one meanwhile waits for no other.
            let Some((_, task)) = tasks().pop() else { break };
            task();
        }
        drop(done);
    };
    if std::thread::Builder::new().name("guests".into()).spawn(work).is_ok() {
        let _ = ended.recv_timeout(patience);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_is_still_to_be_done_is_done_in_a_bounded_time() {
        let (sender, done) = channel();
        let say = |what: &'static str| {
            let sender = sender.clone();
            AtForcedEnd::run(move || sender.send(what).unwrap())
        };
        let (_first, dropped) = (say("first"), say("dropped"));
        let _last = say("last");
        drop(dropped);
        end_guests(Duration::from_secs(60));
        drop(sender);
        assert_eq!(done.iter().collect::<Vec<_>>(), ["last", "first"]);

        let _endless = AtForcedEnd::run(|| std::thread::sleep(Duration::from_secs(600)));
        let started = Instant::now();
        end_guests(Duration::from_millis(100));
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}
