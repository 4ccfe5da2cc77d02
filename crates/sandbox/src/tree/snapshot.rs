//! What the tree was before the scripts ran.
//!
//! An inode that is written to, given another owner, mode, attribute or name, or mapped and written to, gets a new change
//! time from the kernel. Nobody can set that time, as long as he cannot set the clock. So what has the same inode and the
//! same change time as before is the same, whatever else a script did to hide a change.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags, Statx};

use super::identity::{Identity, Time, WANTED};
use super::walk::walk;
use crate::failure::Failure;

/// The name of the file that shows what time the file system has.
pub const PROBE: &str = "clock";

/// Names and what they stood for.
pub struct Snapshot {
    names: BTreeMap<Vec<u8>, Seen>,
    latest: Time,
}

/// An inode at a point in time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    identity: Identity,
    changed: Time,
}

impl Seen {
    fn of(stat: &Statx) -> Self {
        Self { identity: Identity::of(stat), changed: stat.stx_ctime.into() }
    }
}

/// What has become of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was not there.
    New,
    /// It stands for something else, or for something that was changed.
    Changed,
    /// It is what it was.
    Same,
}

impl Snapshot {
    /// Of a tree in which there was nothing: everything in it is new.
    pub fn of_nothing() -> Self {
        Self { names: BTreeMap::new(), latest: Time::default() }
    }

    /// Looks at the whole tree.
    pub fn take(root: BorrowedFd) -> Result<Self, Failure> {
        let (mut names, mut latest) = (BTreeMap::new(), Time::default());
        walk(root, u64::MAX, &mut |visit| {
            let seen = Seen::of(visit.stat);
            latest = latest.max(seen.changed);
            names.insert(visit.path.to_vec(), seen);
            Ok(())
        })?;
        Ok(Self { names, latest })
    }

    /// Waits until what is changed now gets a later change time than anything has. Kernels before 6.13 count them in
    /// ticks of some milliseconds.
    pub fn let_time_pass(&self, place: BorrowedFd) -> io::Result<()> {
        const TICK: Duration = Duration::from_millis(1);
        loop {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            let file = rustix::fs::openat(place, PROBE, flags, Mode::empty())?;
            rustix::fs::unlinkat(place, PROBE, AtFlags::empty())?;
            let now = Time::from(rustix::fs::statx(&file, c"", AtFlags::EMPTY_PATH, WANTED)?.stx_ctime);
            if now > self.latest {
                return Ok(());
            }
            std::thread::sleep(TICK);
        }
    }

    /// Tells what has become of a name, and forgets it.
    pub fn compare(&mut self, path: &[u8], stat: &Statx) -> Fate {
        match self.names.remove(path) {
            None => Fate::New,
            Some(before) if before == Seen::of(stat) => Fate::Same,
            Some(_) => Fate::Changed,
        }
    }

    /// The names that were not compared, because they are gone: those whose directory is not gone too.
    pub fn gone(&self) -> impl Iterator<Item = &[u8]> {
        let is_top = |path: &&[u8]| !self.names.contains_key(super::layout::split(path).0);
        self.names.keys().map(Vec::as_slice).filter(is_top)
    }
}
