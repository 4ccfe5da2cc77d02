//! Where trees are laid out: a directory of the caller's own, and in it one for each run.
//!
//! Only root and the caller can change the way there (`nex_file::way`), so that paths below it lead nobody elsewhere.
//!
//! A run's directory is locked as long as anybody of the run lives, and its name says who sees that lock (`nex_file::lock_domain`).
//! One that is not locked was left behind by a run that was killed, and the next command [removes](crate::remove_abandoned) it. It
//! takes the name away first, so that a run that lives all the same learns of it.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nex_file::base::Base;
use nex_file::leftovers;
use nex_file::lock_domain::LockDomain;
use nex_file::private;
use nex_file::way::{self, Missing, WayError};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::Error;

/// What the names of runs begin with. Behind it stand the lock's domain, the process and a number.
pub const PREFIX: &str = "run-";

/// The same for the moment in which a run makes sure that it has its name.
pub const ASIDE: &str = "aside-";

/// The same for what is being removed.
pub const DOOMED: &str = "removed-";

/// How often a run is begun again that another process has taken for left behind.
const ATTEMPTS: u32 = 100;

/// The directory in a run's directory that its user namespace may write to. Who gets past the run's directory, which is
/// nobody but the caller, may do so too.
pub const BOX: &str = "box";

/// `$XDG_CACHE_HOME/nex/sandbox`, or `~/.cache/nex/sandbox`, or a directory of the user in `/var/tmp`.
pub fn default_work_dir() -> PathBuf {
    match Base::Cache.find() {
        Some(cache) => cache.join("nex/sandbox"),
        None => format!("/var/tmp/nex-{}", rustix::process::geteuid().as_raw()).into(),
    }
}

/// The directory of one run.
pub struct RunDir {
    /// Its path.
    pub path: PathBuf,
    /// Open as long as the run lasts.
    pub lock: File,
}

impl RunDir {
    /// Makes one.
    ///
    /// # Errors
    /// When the work directory is not the caller's own, or does not take what a tree needs.
    pub fn create(work_dir: &Path) -> Result<Self, Error> {
        (|| {
            let work_dir = reach(work_dir, Missing::Made)?;
            let work_dir = work_dir.ok_or(io::ErrorKind::NotFound)?;
            let handle = open_directory(&work_dir)?;
            can_run_programs(&handle)?;
            Self::create_in(&work_dir, &LockDomain::of(&handle)?)
        })()
        .map_err(Error::work_dir(work_dir))
    }

    fn create_in(work_dir: &Path, domain: &LockDomain) -> io::Result<Self> {
        let (mut number, mut lost) = (0, 0);
        while lost < ATTEMPTS {
            let path = work_dir.join(format!("{PREFIX}{}", leftovers::name(domain, number)));
            number += 1;
            match private::create_directory(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            // Another process may have looked for abandoned runs before the lock was there.
            let Some(run) = Self::lock(path)? else {
                lost += 1;
                continue;
            };
            let writable = run.path.join(BOX);
            private::create_directory(&writable)?;
            for inherited in ["system.posix_acl_default", "system.posix_acl_access"] {
                // Most directories have none, and many file systems know none.
                rustix::fs::removexattr(&writable, inherited).ok();
            }
            std::fs::set_permissions(&writable, Permissions::from_mode(0o777))?;
            return Ok(run);
        }
        Err(io::Error::other("other processes remove whatever is begun"))
    }

    /// Locks a directory that was just made; `None` when another process has taken it for left behind.
    fn lock(path: PathBuf) -> io::Result<Option<Self>> {
        let lock = match open_directory(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            lock => lock?,
        };
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(None),
            locked => locked?,
        }
        let run = Self { path, lock };
        Ok(run.is_at(&run.path)?.then_some(run))
    }

    /// Whether nobody has begun to remove it. It has another name for a moment, as a rename gets its answer from who keeps the file
    /// system, and a look may get one from a cache.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_in_place(&self) -> io::Result<bool> {
        let name = self.path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix(PREFIX));
        let aside = self.path.with_file_name(format!("{ASIDE}{}", name.unwrap_or_default()));
        match std::fs::rename(&self.path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            renamed => renamed?,
        }
        let is_ours = self.is_at(&aside)?;
        std::fs::rename(&aside, &self.path)?;
        Ok(is_ours)
    }

    /// Gives it a name by which everybody knows that it is being removed, and which it keeps.
    ///
    /// # Errors
    /// What the system says, also when somebody else was faster.
    pub fn doom(&mut self) -> io::Result<()> {
        let name = self.path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if let Some(rest) = [PREFIX, ASIDE].iter().find_map(|prefix| name.strip_prefix(prefix)) {
            let doomed = self.path.with_file_name(format!("{DOOMED}{rest}"));
            std::fs::rename(&self.path, &doomed)?;
            self.path = doomed;
        }
        Ok(())
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let own = self.lock.metadata()?;
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            found => found.map(|found| (found.dev(), found.ino()) == (own.dev(), own.ino())),
        }
    }

    /// Removes it, once its tree is gone.
    ///
    /// # Errors
    /// When there is still something in it.
    pub fn remove(&self) -> io::Result<()> {
        remove_empty(&self.path)
    }
}

/// Removes the directory of a run in which there is no tree. Another command may have done so already.
///
/// # Errors
/// When there is still something in it.
pub fn remove_empty(run: &Path) -> io::Result<()> {
    for directory in [&*run.join(BOX), run] {
        match std::fs::remove_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    Ok(())
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // What still has a tree in it is found by the next command.
        drop(self.remove());
    }
}

/// Opens a directory, and follows no link to it.
pub fn open_directory(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)
}

/// Where the work directory is, by a way that nobody else can change: paths below it are then the caller's. `None` when it is
/// missing and stays so.
pub fn reach(work_dir: &Path, missing: Missing) -> io::Result<Option<PathBuf>> {
    let reached = way::open(work_dir, missing).map_err(|error| match error {
        WayError::Io(cause) => cause,
        error => io::Error::other(error),
    })?;
    Ok(reached.map(|directory| directory.path))
}

fn can_run_programs(directory: &File) -> io::Result<()> {
    if rustix::fs::fstatvfs(directory)?.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC) {
        let why = "its file system is mounted noexec, so that no program of an image can run in it";
        return Err(io::Error::other(why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use nex_cancel::{Cancel, Workspace};
    use nex_fault::{advised, whole};

    use super::*;
    use crate::abandoned::Abandoned;

    fn remove_abandoned(work_dir: &Path) -> Result<Abandoned, Error> {
        crate::abandoned::remove_abandoned(work_dir, &Cancel::never(), &Workspace::default())
    }

    #[test]
    fn a_work_directory_belongs_to_the_caller_alone() {
        let place = tempfile::tempdir().unwrap();
        let work_dir = place.path().join("a/b");
        let run = RunDir::create(&work_dir).unwrap();
        assert_eq!(run.path.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(run.path.join(BOX).metadata().unwrap().mode() & 0o777, 0o777);
        run.remove().unwrap();

        std::fs::set_permissions(&work_dir, Permissions::from_mode(0o777)).unwrap();
        assert!(whole(&RunDir::create(&work_dir).err().unwrap()).contains("can be written to by others"));
        assert!(remove_abandoned(&work_dir).is_err());
        std::os::unix::fs::symlink(&work_dir, place.path().join("link")).unwrap();
        assert!(RunDir::create(&place.path().join("link")).is_err());
    }

    #[test]
    fn who_locks_the_work_directory_keeps_nobody_waiting() {
        let place = tempfile::tempdir().unwrap();
        let work_dir = place.path().join("work");
        RunDir::create(&work_dir).unwrap().remove().unwrap();
        let holder = open_directory(&work_dir).unwrap();
        rustix::fs::flock(&holder, FlockOperation::LockExclusive).unwrap();
        let start = Instant::now();
        let run = RunDir::create(&work_dir).unwrap();
        assert_eq!(remove_abandoned(&work_dir).unwrap().removed, 0);
        assert!(start.elapsed() < Duration::from_secs(1));
        run.remove().unwrap();
    }

    #[test]
    fn a_run_learns_that_its_directory_was_taken_away() {
        let place = tempfile::tempdir().unwrap();
        let run = RunDir::create(&place.path().join("work")).unwrap();
        assert!(run.is_in_place().unwrap() && run.path.exists());
        let elsewhere = place.path().join("work/removed");
        std::fs::rename(&run.path, &elsewhere).unwrap();
        assert!(!run.is_in_place().unwrap());
        // What has its name now is another one, and keeps it.
        std::fs::create_dir(&run.path).unwrap();
        assert!(!run.is_in_place().unwrap() && run.path.exists());
        std::fs::remove_dir(&run.path).unwrap();
        std::fs::remove_dir_all(elsewhere).unwrap();
    }

    #[test]
    fn nobody_else_can_change_the_way_to_a_work_directory() {
        let place = tempfile::tempdir().unwrap();
        let (parent, work_dir) = (place.path().join("parent"), place.path().join("parent/work"));
        RunDir::create(&work_dir).unwrap().remove().unwrap();
        std::fs::set_permissions(&parent, Permissions::from_mode(0o777)).unwrap();
        let refused = [RunDir::create(&work_dir).err().unwrap(), remove_abandoned(&work_dir).err().unwrap()];
        for error in refused.map(|error| advised(&error, |setting| setting.name().to_owned())) {
            let reached = format!("reached through '{}', which can be written to by others", parent.display());
            let advice = format!("run 'chmod go-w {}' if they did not; choose another with work-dir", parent.display());
            assert!(error.contains(&reached) && error.ends_with(&advice), "{error}");
        }
    }
}
