//! Locks that another process may have, and may keep: nobody waits for one without end.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// How long a lock is waited for that others have for as long as a directory takes to be changed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is tried to get one.
const AGAIN: Duration = Duration::from_millis(20);

/// Locks a file or directory for this handle alone. Who has the lock is waited for as long as `patience` says.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when another has it all the time, with what to do about it. Otherwise what the system says.
pub fn exclusive(file: impl AsFd, patience: Duration) -> io::Result<()> {
    let end = Instant::now() + patience;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if Instant::now() >= end => return Err(held(patience)),
            Err(Errno::WOULDBLOCK) => std::thread::sleep(AGAIN),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn held(patience: Duration) -> io::Error {
    let seconds = patience.as_secs();
    let words =
        format!("another process has had its lock for {seconds} s; find it with 'lslocks', and end it or try again");
    io::Error::new(io::ErrorKind::WouldBlock, words)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn a_lock_is_got_when_its_holder_ends_and_waited_for_no_longer_than_told() {
        let place = tempfile::tempdir().unwrap();
        let open = || File::open(place.path()).unwrap();
        let (holder, file) = (open(), open());
        exclusive(&holder, Duration::ZERO).unwrap();
        for patience in [Duration::ZERO, Duration::from_millis(50)] {
            let start = Instant::now();
            let error = exclusive(&file, patience).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            assert!(error.to_string().contains("lslocks") && start.elapsed() >= patience, "{error}");
        }
        let (waiting, begun) = mpsc::channel();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                waiting.send(()).unwrap();
                exclusive(&file, Duration::from_secs(600))
            });
            begun.recv().unwrap();
            drop(holder);
            waiter.join().unwrap().unwrap();
        });
    }
}
