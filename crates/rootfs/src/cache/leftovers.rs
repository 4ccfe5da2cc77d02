//! The directory of what is in the making and what is being removed.
//!
//! Whatever has a lock there lives; the rest was left behind by a process that was killed, and the next one removes it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nex_file::private::create_directory;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::directory::open_directory;

/// Makes names of one process differ.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A directory that lives as long as the lock is held.
#[derive(Debug)]
pub struct Living {
    /// Its path.
    pub path: PathBuf,
    _lock: File,
}

/// Makes a directory below `making` and locks it. Nobody looks for leftovers meanwhile.
///
/// # Errors
/// When it cannot be made.
pub fn create(making: &Path) -> io::Result<Living> {
    let all = open_directory(making)?;
    flock(&all, FlockOperation::LockShared)?;
    loop {
        let path = new_name(making);
        match create_directory(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        let lock = open_directory(&path)?;
        flock(&lock, FlockOperation::LockExclusive)?;
        return Ok(Living { path, _lock: lock });
    }
}

/// Removes something, whatever it is. It has no name any more before the first of its files goes.
///
/// # Errors
/// When it cannot be renamed or removed; that somebody else has done so already is no error.
pub fn remove(making: &Path, path: &Path) -> io::Result<()> {
    let doomed = new_name(making);
    match std::fs::rename(path, &doomed) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => unlink(&doomed),
    }
}

/// Removes what nobody has a lock on, and says how much that was.
///
/// # Errors
/// When it cannot be looked at or removed.
pub fn remove_abandoned(making: &Path) -> io::Result<usize> {
    let all = open_directory(making)?;
    let mut abandoned = Vec::new();
    {
        flock(&all, FlockOperation::LockExclusive)?;
        for entry in std::fs::read_dir(making)? {
            let path = entry?.path();
            match open_directory(&path) {
                Ok(directory) => match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => abandoned.push((path, Some(directory))),
                    Err(Errno::WOULDBLOCK) => {}
                    Err(error) => return Err(error.into()),
                },
                Err(Errno::NOENT) => {}
                Err(_) => abandoned.push((path, None)),
            }
        }
        flock(&all, FlockOperation::Unlock)?;
    }
    abandoned.iter().try_for_each(|(path, _)| unlink(path))?;
    Ok(abandoned.len())
}

/// Somebody else may be at it too.
fn unlink(path: &Path) -> io::Result<()> {
    let is_directory = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    let removed = if is_directory { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn new_name(making: &Path) -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    making.join(format!("{}-{number}", std::process::id()))
}
