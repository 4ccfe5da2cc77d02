//! Directories of our own, for what needs a name.
//!
//! Each is locked as long as we live. One that is not locked was left behind by somebody who was killed, and the next one who makes
//! such a directory removes it. What a guest or its VMM has put there is removed however deep it is.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nex_file::remove::{self, Stuck};
use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// Removes something, and says what stays of it.
pub type Removal = Box<dyn Fn() -> Option<String> + Send>;

/// A directory of ours.
pub struct Own {
    path: PathBuf,
    /// Open, and locked.
    handle: File,
}

impl Own {
    /// A directory that was made for us, and locked.
    pub fn new(path: PathBuf, handle: File) -> Self {
        Self { path, handle }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory.
    pub fn handle(&self) -> &File {
        &self.handle
    }

    /// The same once more.
    pub fn again(&self) -> io::Result<Self> {
        Ok(Self { path: self.path.clone(), handle: self.handle.try_clone()? })
    }

    /// Removes it with all that is in it. It may be gone already.
    pub fn remove(&self) -> Result<(), Stuck> {
        remove::contents(&self.handle)?;
        match rustix::fs::rmdir(&self.path) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Stuck { path: ".".into(), errno }),
        }
    }

    /// The same, with a note on what stays.
    pub fn remove_noting(&self) -> Option<String> {
        let stuck = self.remove().err()?;
        let word = nex_text::shell_word(&self.path);
        Some(format!(
            "what a VMM has left in '{}' cannot be removed: {stuck}; have root unmount what is mounted there, and run \
             'chattr -R -ia {word}; rm -rf {word}'",
            nex_text::name(self.path.as_os_str().as_encoded_bytes())
        ))
    }
}

/// How long who makes a directory has to lock it. Until then nobody else takes its lock, not even for a look.
const TIME_TO_LOCK: Duration = Duration::from_secs(1);

/// Directories of this user with such names that nobody has locked, though who has made them has had the time to do so.
pub fn abandoned(place: &Path, prefix: &str) -> impl Iterator<Item = Own> {
    let user = rustix::process::geteuid().as_raw();
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let named = entries.filter(move |entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()));
    named.filter_map(move |entry| {
        let own = Own { handle: open(&entry.path()).ok()?, path: entry.path() };
        let metadata = own.handle.metadata().ok()?;
        let is_free = metadata.is_dir()
            && metadata.uid() == user
            && !metadata.modified().is_ok_and(|made| made.elapsed().is_ok_and(|age| age < TIME_TO_LOCK))
            && rustix::fs::flock(&own.handle, FlockOperation::NonBlockingLockExclusive).is_ok();
        is_free.then_some(own)
    })
}

/// Opens a directory, and no link to one.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?.into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn who_looks_for_abandoned_directories_keeps_nobody_from_locking_a_new_one() {
        let place = tempfile::tempdir().unwrap();
        let old = place.path().join("nex-old");
        fs::create_dir(&old).unwrap();
        File::open(&old).unwrap().set_modified(SystemTime::now() - 2 * TIME_TO_LOCK).unwrap();
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    let found: Vec<_> = abandoned(place.path(), "nex-").map(|own| own.path).collect();
                    assert!(found.is_empty() || found == [&*old], "{found:?}");
                }
            });
            let locked = (0..2000).all(|number| {
                let new = place.path().join(format!("nex-{number}"));
                fs::create_dir(&new).unwrap();
                let handle = open(&new).unwrap();
                let lock = rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive);
                fs::remove_dir(&new).unwrap();
                lock.is_ok()
            });
            is_done.store(true, Ordering::Relaxed);
            assert!(locked, "a new directory was locked by somebody else");
        });
    }
}
