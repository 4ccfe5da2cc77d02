//! The directory of what is in the making and what is being removed.
//!
//! Whatever has a lock there lives; the rest was left behind by a process that was killed, and the next one removes it. A name says
//! where it was made: from elsewhere its lock is not seen ([`lock_domain`](crate::lock_domain)), and there it stays for a week. Nobody
//! waits for a lock: who makes something and does not get it at once takes another name.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, Stat, flock, fstat};
use rustix::io::Errno;

use crate::directory::Directory;
use crate::lock_domain::{LockDomain, Maker};

/// Makes names of one process differ.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// How often something is begun again that another process has taken for left behind.
const ATTEMPTS: usize = 100;

/// How long what was made elsewhere stays unchanged until it counts as left behind: longer than anybody makes anything.
pub const LONGEST_ELSEWHERE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

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
    let domain = LockDomain::of(making.handle())?;
    for _ in 0..ATTEMPTS {
        let name = new_name(&domain);
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
pub fn remove(making: &Directory, directory: &Directory, name: impl AsRef<OsStr>) -> io::Result<()> {
    let doomed = new_name(&LockDomain::of(making.handle())?);
    match directory.rename(name, making, &doomed) {
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(crate::remove::tree(making.handle(), &doomed)?),
    }
}

/// Removes what nobody works on any more, and says how much that was. It has another name before the first of its files goes, so that
/// who works on it all the same does not give it its name.
///
/// # Errors
/// When it cannot be looked at, or not all of it be removed.
pub fn remove_abandoned(making: &Directory) -> io::Result<usize> {
    let domain = LockDomain::of(making.handle())?;
    let (mut removed, mut result) = (0, Ok(()));
    for name in making.names()? {
        let maker = maker(&domain, &name).unwrap_or(Maker::Elsewhere);
        let is_abandoned = match making.open(&name) {
            Ok(directory) => is_abandoned(maker, directory.handle()).unwrap_or(false).then_some(Some(directory)),
            Err(Errno::NOENT) => None,
            // No directory, or not the caller's, which has no lock.
            Err(_) => has_ended(maker, || making.stat(&name)).unwrap_or(false).then_some(None),
        };
        // The lock stays until all is gone.
        if let Some(_lock) = is_abandoned {
            match remove(making, making, &name) {
                Ok(()) => removed += 1,
                Err(stuck) => result = Err(stuck),
            }
        }
    }
    result.map(|()| removed)
}

/// Whether nobody works on a directory any more. Its lock belongs to the handle then.
///
/// # Errors
/// When the system does not tell.
pub fn is_abandoned(maker: Maker, directory: &File) -> io::Result<bool> {
    // Of several who remove it, here or elsewhere, those who see each other's locks get in nobody's way.
    match flock(directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(has_ended(maker, || fstat(directory))?),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether somebody works no more who has no lock that is seen here.
fn has_ended(maker: Maker, look: impl FnOnce() -> Result<Stat, Errno>) -> Result<bool, Errno> {
    match maker {
        Maker::Here | Maker::Gone => Ok(true),
        Maker::Elsewhere => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let long_ago = now.saturating_sub(LONGEST_ELSEWHERE).as_secs();
            Ok(look()?.st_mtime < long_ago.cast_signed())
        }
    }
}

/// A name for what is made by this process in a domain, with a number that makes its names differ.
pub fn name(domain: &LockDomain, number: u64) -> String {
    format!("{domain}-{}-{number}", std::process::id())
}

/// Where something was made, by its name; `None` when it is no such name. Names of an earlier nex do not say where.
pub fn maker(domain: &LockDomain, name: &OsStr) -> Option<Maker> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, number) = name.to_str()?.rsplit_once('-')?;
    if !is_number(number) {
        return None;
    }
    match rest.rsplit_once('-') {
        None => is_number(rest).then_some(Maker::Elsewhere),
        Some((noted, pid)) if is_number(pid) => Some(domain.maker(&noted.parse().ok()?)),
        Some(_) => None,
    }
}

fn new_name(domain: &LockDomain) -> String {
    name(domain, NUMBER.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, FileTimes};
    use std::path::Path;

    use super::*;
    use crate::way::Missing;

    fn making(place: &Path) -> Directory {
        Directory::reach(place, Missing::Made).unwrap().unwrap().level("making").unwrap()
    }

    #[test]
    fn what_lives_stays_and_what_was_left_behind_goes() {
        let place = tempfile::tempdir().unwrap();
        let making = making(place.path());
        let living = create(&making).unwrap();
        let left = create(&making).unwrap().name;
        fs::write(making.path().join(&left).join("file"), "").unwrap();
        assert_eq!(remove_abandoned(&making).unwrap(), 1);
        assert_eq!(making.names().unwrap(), [&*living.name]);
    }

    #[test]
    fn what_is_made_elsewhere_stays_for_a_week() {
        let place = tempfile::tempdir().unwrap();
        let making = making(place.path());
        let elsewhere = ["unknown-0123456789abcdef-7-1-0", "1-0", "some file"].map(|name| making.path().join(name));
        fs::create_dir_all(elsewhere[0].join("below")).unwrap();
        fs::create_dir(&elsewhere[1]).unwrap();
        fs::write(&elsewhere[2], "").unwrap();
        assert_eq!(remove_abandoned(&making).unwrap(), 0);
        let long_ago = SystemTime::now() - LONGEST_ELSEWHERE - Duration::from_secs(60);
        for path in &elsewhere {
            File::open(path).unwrap().set_times(FileTimes::new().set_modified(long_ago)).unwrap();
        }
        assert_eq!(remove_abandoned(&making).unwrap(), 3);
        assert!(making.names().unwrap().is_empty());
    }

    #[test]
    fn a_name_says_where_it_was_given() {
        let place = tempfile::tempdir().unwrap();
        let domain = LockDomain::of(&File::open(place.path()).unwrap()).unwrap();
        let of = |name: &str| maker(&domain, name.as_ref());
        assert_eq!(of(&name(&domain, 3)), Some(Maker::Here));
        assert_eq!(of("unknown-0123456789abcdef-7-1-0"), Some(Maker::Elsewhere));
        assert_eq!(of("12-3"), Some(Maker::Elsewhere));
        for other in ["", "-", "1", "notes", "a-1", "1-a", "x-1-2", "-1-2", "unknown-0123456789abcdef-7-1", "1-2-3-4-5"]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
