//! Where trees are laid out: a directory of the caller's own, and in it one for each run.
//!
//! Only root and the caller can change the way there (`nex_file::way`), so that paths below it lead nobody elsewhere.
//!
//! A run's directory is locked as long as anybody of the run lives. One that is not locked was left behind by a run
//! that was killed, and the next command [removes](crate::remove_abandoned) it.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nex_file::base::Base;
use nex_file::way::{self, Missing, WayError};
use nex_file::{lock, private};
use rustix::fs::FlockOperation;

use crate::error::Error;

/// How long another run may keep the work directory's lock, which it has while it looks around there or makes a directory.
pub const PATIENCE: Duration = if cfg!(test) { Duration::from_millis(100) } else { lock::PATIENCE };

/// What the names of runs begin with.
pub const PREFIX: &str = "run-";

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
            let lock = open_directory(&work_dir)?;
            can_run_programs(&lock)?;
            lock::exclusive(&lock, PATIENCE)?;
            let run = Self::create_in(&work_dir)?;
            rustix::fs::flock(&lock, FlockOperation::Unlock)?;
            io::Result::Ok(run)
        })()
        .map_err(Error::work_dir(work_dir))
    }

    fn create_in(work_dir: &Path) -> io::Result<Self> {
        for attempt in 0..u32::MAX {
            let path = work_dir.join(format!("{PREFIX}{}-{attempt}", std::process::id()));
            match private::create_directory(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            let lock = open_directory(&path)?;
            lock::exclusive(&lock, PATIENCE)?;
            let writable = path.join(BOX);
            private::create_directory(&writable)?;
            for inherited in ["system.posix_acl_default", "system.posix_acl_access"] {
                // Most directories have none, and many file systems know none.
                rustix::fs::removexattr(&writable, inherited).ok();
            }
            std::fs::set_permissions(&writable, Permissions::from_mode(0o777))?;
            return Ok(Self { path, lock });
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Removes it, once its tree is gone.
    ///
    /// # Errors
    /// When there is still something in it.
    pub fn remove(&self) -> io::Result<()> {
        remove_empty(&self.path)
    }
}

/// Removes the directory of a run in which there is no tree.
///
/// # Errors
/// When there is still something in it.
pub fn remove_empty(run: &Path) -> io::Result<()> {
    match std::fs::remove_dir(run.join(BOX)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => std::fs::remove_dir(run),
    }
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
    use std::os::unix::fs::MetadataExt;

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
    fn a_run_that_keeps_the_lock_keeps_no_other_waiting_without_end() {
        let place = tempfile::tempdir().unwrap();
        let work_dir = place.path().join("work");
        RunDir::create(&work_dir).unwrap().remove().unwrap();
        let holder = open_directory(&work_dir).unwrap();
        lock::exclusive(&holder, Duration::ZERO).unwrap();
        for said in [RunDir::create(&work_dir).err().unwrap(), remove_abandoned(&work_dir).err().unwrap()] {
            let said = whole(&said);
            assert!(said.contains(&work_dir.display().to_string()) && said.contains("lslocks"), "{said}");
        }
        drop(holder);
        RunDir::create(&work_dir).unwrap().remove().unwrap();
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
