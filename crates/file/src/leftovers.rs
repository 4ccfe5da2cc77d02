//! The directory of what is in the making and what is being removed.
//!
//! Whatever has a lock there lives; the rest was left behind by a process that was killed, and the next one removes it. Nobody
//! waits for a lock: who makes something and does not get it at once takes another name.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock, fstat};
use rustix::io::Errno;

use crate::directory::Directory;

/// Makes names of one process differ.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// How often something is begun again that another process has taken for left behind.
const ATTEMPTS: usize = 100;

/// A directory that lives as long as its handle is there, which has the lock.
#[derive(Debug)]
pub struct Living {
    /// Its name.
    pub name: String,
    /// The directory.
    pub directory: Directory,
}

/// Makes a directory in `making` and locks it.
///
/// # Errors
/// When it cannot be made.
pub fn create(making: &Directory) -> io::Result<Living> {
    for _ in 0..ATTEMPTS {
        let name = new_name();
        match making.make(&name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        let directory = match making.open(&name) {
            Err(Errno::NOENT) => continue,
            directory => directory?,
        };
        match flock(directory.handle(), FlockOperation::NonBlockingLockExclusive) {
            // Another process may have looked for leftovers before the lock was there. What it has removed has no links any more.
            Ok(()) if fstat(directory.handle())?.st_nlink > 0 => return Ok(Living { name, directory }),
            Ok(()) | Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other("other processes remove whatever is begun"))
}

/// Removes something from `directory`, whatever it is. It has no name there any more before the first of its files goes.
///
/// # Errors
/// When it cannot be renamed or removed; that somebody else has done so already is no error.
pub fn remove(making: &Directory, directory: &Directory, name: &str) -> io::Result<()> {
    let doomed = new_name();
    match directory.rename(name, making, &doomed) {
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(crate::remove::tree(making.handle(), &doomed)?),
    }
}

/// Removes what nobody has a lock on, and says how much that was.
///
/// # Errors
/// When it cannot be looked at, or not all of it be removed.
pub fn remove_abandoned(making: &Directory) -> io::Result<usize> {
    let (mut removed, mut result) = (0, Ok(()));
    for name in making.names()? {
        let lock = match making.open(&name) {
            Ok(directory) => Some(directory),
            Err(Errno::NOENT) => continue,
            // No directory, or not the caller's.
            Err(_) => None,
        };
        let is_free = |lock: &Directory| flock(lock.handle(), FlockOperation::NonBlockingLockExclusive).is_ok();
        if lock.as_ref().is_none_or(is_free) {
            match crate::remove::tree(making.handle(), &name) {
                Ok(()) => removed += 1,
                Err(stuck) => result = Err(stuck.into()),
            }
        }
    }
    result.map(|()| removed)
}

fn new_name() -> String {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}", std::process::id())
}
