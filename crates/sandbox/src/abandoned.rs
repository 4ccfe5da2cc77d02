//! What runs have left that were killed. The next command removes it. What cannot be removed stays, and is told.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use nex_cancel::{Cancel, Workspace};
use nex_fault::{Note, whole};
use nex_file::lock;
use nex_file::way::Missing;
use nex_text::{printable, shell_word};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::Error;
use crate::ids::Ids;
use crate::incoming::unexpected;
use crate::monitor_process::Monitor;
use crate::protocol::{Answer, Order};
use crate::work_dir::{BOX, PATIENCE, PREFIX, RunDir, open_directory, reach};

/// What became of what killed runs have left.
#[derive(Debug, Default)]
pub struct Abandoned {
    /// How many runs were removed.
    pub removed: usize,
    /// What cannot be removed, why, and what to do about it.
    pub notes: Vec<Note>,
}

/// How long the removal may take in all. A tree that takes longer is smaller then, and the next command goes on with it.
const LONGEST: Duration = Duration::from_secs(10);

/// Removes what killed runs have left in a work directory. What cannot be removed is no fault of the next run, which takes
/// another place there. Nothing is made where there is no work directory, and runs that live are left alone: they have their
/// locks. It takes some ten seconds at most.
///
/// # Errors
/// When the work directory is not the caller's own, or cannot be read.
pub fn remove_abandoned(work_dir: &Path, cancel: &Cancel, workspace: &Workspace) -> Result<Abandoned, Error> {
    remove_within(LONGEST, work_dir, cancel, workspace)
}

fn remove_within(
    longest: Duration,
    work_dir: &Path,
    cancel: &Cancel,
    workspace: &Workspace,
) -> Result<Abandoned, Error> {
    let end = Instant::now() + longest;
    let failed = Error::work_dir(work_dir);
    let mut result = Abandoned::default();
    let Some(work_dir) = reach(work_dir, Missing::Left).map_err(&failed)? else { return Ok(result) };
    let abandoned = (|| {
        let lock = open_directory(&work_dir)?;
        lock::exclusive(&lock, PATIENCE.min(longest))?;
        let mut abandoned = Vec::new();
        for entry in std::fs::read_dir(&work_dir)? {
            let path = entry?.path();
            let is_run = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
            if !is_run {
                continue;
            }
            match lock_abandoned(&path) {
                Ok(Some(lock)) => abandoned.push(RunDir { path, lock }),
                Ok(None) => {}
                Err(cause) => result.notes.push(stays(&path, &cause)),
            }
        }
        rustix::fs::flock(&lock, FlockOperation::Unlock)?;
        io::Result::Ok(abandoned)
    })()
    .map_err(failed)?;
    let mut unfinished = 0;
    for run in &abandoned {
        cancel.check()?;
        let has_tree = run.path.join(BOX).exists();
        let removed = if has_tree { remove_tree(run, end, cancel, workspace) } else { Ok(Removal::Done) };
        let removed = match removed {
            Ok(Removal::Unfinished) => {
                unfinished += 1;
                continue;
            }
            Ok(Removal::Done) => run.remove().map_err(|error| whole(&error)),
            Err(error) => Err(cause_of(error)),
        };
        match removed {
            Ok(()) => result.removed += 1,
            Err(cause) => result.notes.push(stays(&run.path, &cause)),
        }
    }
    if unfinished > 0 {
        result.notes.push(Note::new(format!(
            "trees of earlier setup scripts stay in '{}' ({unfinished}), as their removal takes more than {} s; the next \
             command goes on with it",
            printable(work_dir.as_os_str().as_encoded_bytes()),
            longest.as_secs()
        )));
    }
    Ok(result)
}

/// How far the removal of a tree has come.
enum Removal {
    /// Nothing is left of it.
    Done,
    /// The time was over before.
    Unfinished,
}

/// Removes the tree that a killed run has left, as far as that can be done by `end`.
fn remove_tree(run: &RunDir, end: Instant, cancel: &Cancel, workspace: &Workspace) -> Result<Removal, Error> {
    if Instant::now() >= end {
        return Ok(Removal::Unfinished);
    }
    let ids = Ids::choose();
    let mut monitor = Monitor::spawn(run, &[], &ids, cancel, workspace)?;
    monitor.order(&Order::Remove { groups: ids.only_one().is_none() })?;
    if !monitor.says_something_by(end)? {
        monitor.kill();
        return Ok(Removal::Unfinished);
    }
    match monitor.answer()? {
        Answer::Removed => Ok(Removal::Done),
        answer => Err(unexpected(&answer)),
    }
}

/// What the monitor says is about the tree, and not about a script.
fn cause_of(error: Error) -> String {
    match error {
        Error::SetUp { what, .. } => what,
        error => whole(&error),
    }
}

/// The lock of a run of which nobody lives any more.
fn lock_abandoned(run: &Path) -> io::Result<Option<File>> {
    let lock = match open_directory(run) {
        // It has just ended.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        lock => lock?,
    };
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(lock)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn stays(run: &Path, cause: &impl Display) -> Note {
    let (word, run) = (shell_word(run), printable(run.as_os_str().as_encoded_bytes()));
    Note::new(format!("what an earlier setup script has left in '{run}' cannot be removed: {cause}"))
        .advising(format!("have root unmount what is mounted there, and run 'chattr -R -ia {word}; rm -rf {word}'"))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn remove(work_dir: &Path) -> Abandoned {
        remove_abandoned(work_dir, &Cancel::never(), &Workspace::default()).unwrap()
    }

    #[test]
    fn a_run_that_lives_is_not_removed() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
        let run = RunDir::create(place.path()).unwrap();
        assert_eq!(remove(place.path()).removed, 0);
        assert!(run.path.exists());
        std::fs::remove_dir(run.path.join(BOX)).unwrap();
        std::fs::write(run.path.join("file"), "left behind").unwrap();
        let path = run.path.clone();
        drop(run);
        std::fs::remove_file(path.join("file")).unwrap();
        assert_eq!(remove(place.path()).removed, 1);
        assert!(!path.exists());
    }

    #[test]
    fn what_takes_too_long_is_left_to_the_next() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
        let run = place.path().join("run-1-0");
        std::fs::create_dir_all(run.join("box/root/deep")).unwrap();
        let late = remove_within(Duration::ZERO, place.path(), &Cancel::never(), &Workspace::default()).unwrap();
        assert_eq!(late.removed, 0);
        let [note] = &late.notes[..] else { panic!("{:?}", late.notes) };
        assert!(note.fact().contains("(1)") && note.fact().contains("the next command goes on"), "{note:?}");
        assert!(run.join("box/root/deep").exists());
    }

    #[test]
    fn what_cannot_be_removed_is_told_and_keeps_nobody_from_running() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
        std::fs::write(place.path().join("run-file"), "no directory").unwrap();
        std::os::unix::fs::symlink("/", place.path().join("run-link")).unwrap();
        std::fs::create_dir(place.path().join("run-full")).unwrap();
        std::fs::write(place.path().join("run-full/file"), "").unwrap();
        std::fs::create_dir(place.path().join("run-empty")).unwrap();
        let Abandoned { removed, notes } = remove(place.path());
        let mut notes: Vec<_> = notes.iter().map(|note| note.words(|setting| setting.name().to_owned())).collect();
        notes.sort();
        assert_eq!((removed, notes.len()), (1, 3), "{notes:?}");
        for (note, name) in notes.iter().zip(["run-file", "run-full", "run-link"]) {
            let path = place.path().join(name);
            assert!(note.contains(&format!("'{}'", path.display())) && note.contains("rm -rf"), "{note}");
        }
        RunDir::create(place.path()).unwrap().remove().unwrap();
    }
}
