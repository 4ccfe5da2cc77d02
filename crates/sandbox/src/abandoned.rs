//! What runs have left that were killed. The next command removes it. What cannot be removed stays, and is told.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nex_cancel::{Cancel, Workspace};
use nex_fault::{Note, whole};
use nex_file::leftovers;
use nex_file::lock_domain::{LockDomain, Maker};
use nex_file::way::Missing;
use nex_text::{printable, shell_word};
use rustix::io::Errno;

use crate::error::Error;
use crate::ids::Ids;
use crate::incoming::unexpected;
use crate::monitor_process::Monitor;
use crate::protocol::{Answer, Order};
use crate::work_dir::{ASIDE, BOX, DOOMED, PREFIX, RunDir, open_directory, reach};

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

/// How many runs that stay have a note of their own.
const MOST_NOTES: usize = 5;

/// Removes what killed runs have left in a work directory. What cannot be removed is no fault of the next run, which takes
/// another place there. Nothing is made where there is no work directory, and runs that live are left alone: they have their
/// locks. Where a run's lock is not seen from here, it stays until nobody has changed it for a week. It takes some ten seconds at most.
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
    let Some(work_dir) = reach(work_dir, Missing::Left).map_err(&failed)? else { return Ok(Abandoned::default()) };
    let sweep = Sweep { end, cancel, workspace };
    let found = found(&work_dir).map_err(failed)?;
    let (mut result, mut staying, mut unfinished) = (Abandoned::default(), 0, 0);
    // One after the other: however many there are, there are few open files and few processes.
    for Found { path, maker } in found {
        cancel.check()?;
        match sweep.remove(&path, maker)? {
            Removal::Done => result.removed += 1,
            Removal::Living => {}
            Removal::Unfinished => unfinished += 1,
            Removal::Stays(note) => {
                staying += 1;
                if staying <= MOST_NOTES {
                    result.notes.push(note);
                }
            }
        }
    }
    let place = printable(work_dir.as_os_str().as_encoded_bytes());
    if staying > MOST_NOTES {
        let more = staying - MOST_NOTES;
        result.notes.push(Note::new(format!("{more} more that earlier setup scripts have left stay in '{place}'")));
    }
    if unfinished > 0 {
        result.notes.push(Note::new(format!(
            "trees of earlier setup scripts stay in '{place}' ({unfinished}), as their removal takes more than {} s; the next \
             command goes on with it",
            longest.as_secs()
        )));
    }
    Ok(result)
}

/// What may be left of a run.
struct Found {
    path: PathBuf,
    maker: Maker,
}

/// All that has a run's name. Other names are not ours.
fn found(work_dir: &Path) -> io::Result<Vec<Found>> {
    let domain = LockDomain::of(&open_directory(work_dir)?)?;
    let maker = |name: &OsStr| {
        let name = name.to_str()?;
        let of_run = [PREFIX, ASIDE].iter().find_map(|prefix| name.strip_prefix(prefix));
        let is_doomed = || leftovers::maker(&domain, name.strip_prefix(DOOMED)?.as_ref()).map(|_| Maker::Gone);
        of_run.and_then(|name| leftovers::maker(&domain, name.as_ref())).or_else(is_doomed)
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(work_dir)? {
        let path = entry?.path();
        let maker = path.file_name().and_then(maker);
        found.extend(maker.map(|maker| Found { path, maker }));
    }
    Ok(found)
}

/// What became of a run's directory.
enum Removal {
    /// Nothing is left of it.
    Done,
    /// Somebody works there, or may do so, or it has just gone.
    Living,
    /// The time was over before.
    Unfinished,
    /// It cannot be removed.
    Stays(Note),
}

/// The removal of several runs.
struct Sweep<'a> {
    end: Instant,
    cancel: &'a Cancel,
    workspace: &'a Workspace,
}

impl Sweep<'_> {
    fn remove(&self, path: &Path, maker: Maker) -> Result<Removal, Error> {
        let mut run = match open_directory(path).and_then(|lock| Ok((leftovers::is_abandoned(maker, &lock)?, lock))) {
            Ok((true, lock)) => RunDir { path: path.into(), lock },
            Ok((false, _)) => return Ok(Removal::Living),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Removal::Living),
            Err(error) => return Ok(Removal::Stays(stays(path, &Cause::looking(&error)))),
        };
        let has_tree = run.path.join(BOX).exists();
        if has_tree && Instant::now() >= self.end {
            return Ok(Removal::Unfinished);
        }
        match run.doom() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Removal::Living),
            // On a full disk there may be no room for the name. What has ended here needs none.
            Err(error) if maker == Maker::Here && is_for_want_of_room(&error) => {}
            Err(error) => return Ok(Removal::Stays(stays(path, &Cause::Place(whole(&error))))),
        }
        let removed = match has_tree.then(|| self.remove_tree(&run)).transpose() {
            Ok(Some(false)) => return Ok(Removal::Unfinished),
            Ok(Some(true) | None) => run.remove().map_err(|error| Cause::Place(whole(&error))),
            Err(Error::Cancelled(cancelled)) => return Err(cancelled.into()),
            // Another command was faster.
            Err(_) if !run.path.exists() => return Ok(Removal::Living),
            Err(error) => Err(Cause::removing(error)),
        };
        Ok(match removed {
            Ok(()) => Removal::Done,
            Err(cause) => Removal::Stays(stays(&run.path, &cause)),
        })
    }

    /// Removes the tree that a killed run has left, as far as that can be done by the end; whether nothing is left of it.
    fn remove_tree(&self, run: &RunDir) -> Result<bool, Error> {
        let ids = Ids::choose();
        let mut monitor = Monitor::spawn(run, &[], &ids, self.cancel, self.workspace)?;
        monitor.order(&Order::Remove { groups: ids.only_one().is_none() })?;
        if !monitor.says_something_by(self.end)? {
            monitor.kill();
            return Ok(false);
        }
        match monitor.answer()? {
            Answer::Removed => Ok(true),
            answer => Err(unexpected(&answer)),
        }
    }
}

fn is_for_want_of_room(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOSPC | Errno::DQUOT))
}

/// Why something stays.
enum Cause {
    /// Something in the directory, or what it is.
    Place(String),
    /// Something that this process lacks.
    Caller(String),
}

impl Cause {
    fn looking(error: &io::Error) -> Self {
        let is_of_the_place =
            matches!(Errno::from_io_error(error), Some(Errno::NOTDIR | Errno::LOOP | Errno::ACCESS | Errno::PERM));
        if is_of_the_place { Self::Place(whole(error)) } else { Self::Caller(whole(error)) }
    }

    /// What the monitor says is about the tree, and not about a script.
    fn removing(error: Error) -> Self {
        match error {
            Error::SetUp { what, .. } => Self::Place(what),
            error => Self::Caller(whole(&error)),
        }
    }
}

fn stays(run: &Path, cause: &Cause) -> Note {
    let (Cause::Place(words) | Cause::Caller(words)) = cause;
    let note = Note::new(format!(
        "what an earlier setup script has left in '{}' cannot be removed: {words}",
        printable(run.as_os_str().as_encoded_bytes())
    ));
    let word = shell_word(run);
    match cause {
        Cause::Place(_) => note.advising(format!(
            "have root unmount what is mounted there, and run 'chattr -R -ia {word}; rm -rf {word}'"
        )),
        Cause::Caller(_) => note,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::time::SystemTime;

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
        let run = place.path().join(format!("{PREFIX}{}", left_here(place.path(), 0)));
        std::fs::create_dir_all(run.join("box/root/deep")).unwrap();
        let late = remove_within(Duration::ZERO, place.path(), &Cancel::never(), &Workspace::default()).unwrap();
        assert_eq!(late.removed, 0);
        let [note] = &late.notes[..] else { panic!("{:?}", late.notes) };
        assert!(note.fact().contains("(1)") && note.fact().contains("the next command goes on"), "{note:?}");
        assert!(run.join("box/root/deep").exists());
    }

    /// The name of what this process has left.
    fn left_here(work_dir: &Path, number: u64) -> String {
        leftovers::name(&LockDomain::of(&open_directory(work_dir).unwrap()).unwrap(), number)
    }

    #[test]
    fn what_cannot_be_removed_is_told_and_keeps_nobody_from_running() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
        let [file, link, full, empty] =
            [0, 1, 2, 3].map(|number| place.path().join(format!("{PREFIX}{}", left_here(place.path(), number))));
        std::fs::write(&file, "no directory").unwrap();
        std::os::unix::fs::symlink("/", &link).unwrap();
        std::fs::create_dir(&full).unwrap();
        std::fs::write(full.join("file"), "").unwrap();
        std::fs::create_dir(&empty).unwrap();
        // It has another name from then on, which it keeps.
        let doomed = place.path().join(format!("{DOOMED}{}", left_here(place.path(), 2)));
        for round in 0..2 {
            let Abandoned { removed, notes } = remove(place.path());
            let notes: Vec<_> = notes.iter().map(|note| note.words(|setting| setting.name().to_owned())).collect();
            assert_eq!((removed, notes.len()), (if round == 0 { 1 } else { 0 }, 3), "{notes:?}");
            for path in [&file, &link, &doomed] {
                let path = path.display().to_string();
                let is_told = |note: &String| note.contains(&format!("'{path}'")) && note.contains("rm -rf");
                assert!(notes.iter().any(is_told), "{path}: {notes:?}");
            }
        }
        RunDir::create(place.path()).unwrap().remove().unwrap();
    }

    #[test]
    fn other_names_are_not_ours() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
        for name in ["run-notes", "run-empty", "run-", "run-1", "removed-things", "aside", "other"] {
            std::fs::create_dir(place.path().join(name)).unwrap();
        }
        let Abandoned { removed, notes } = remove(place.path());
        assert_eq!((removed, notes.len()), (0, 0), "{notes:?}");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 7);
    }

    #[test]
    fn what_another_machine_has_made_stays_for_a_week() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
        let runs = ["run-0123456789abcdef-0123456789abcdef-7-1-0", "run-1-0"].map(|name| place.path().join(name));
        runs.iter().for_each(|run| std::fs::create_dir(run).unwrap());
        assert_eq!(remove(place.path()).removed, 0);
        for run in &runs {
            open_directory(run).unwrap().set_modified(SystemTime::now() - 2 * leftovers::LONGEST_ELSEWHERE).unwrap();
        }
        assert_eq!(remove(place.path()).removed, 2);
    }

    #[test]
    fn of_very_many_that_stay_a_few_are_told() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
        for number in 0..100 {
            let path = place.path().join(format!("{PREFIX}{}", left_here(place.path(), number)));
            std::fs::write(path, "no directory").unwrap();
        }
        let notes = remove(place.path()).notes;
        assert_eq!(notes.len(), MOST_NOTES + 1);
        assert!(notes[MOST_NOTES].fact().starts_with(&format!("{} more", 100 - MOST_NOTES)), "{notes:?}");
    }
}
