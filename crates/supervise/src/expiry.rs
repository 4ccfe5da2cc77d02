//! When records of guests that have ended go: after some days, and the oldest first where they take too much.

use std::ffi::OsString;
use std::time::Duration;

use nex_file::directory::Directory;
use rustix::fs::Stat;
use rustix::io::Errno;

use crate::error::StateError;
use crate::guest_dir::GuestDir;
use crate::id::Id;
use crate::state_dir::StateDir;
use crate::time::UnixMillis;

/// What `st_blocks` counts in.
const SECTOR: u64 = 512;

/// How long records of guests that have ended stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepOptions {
    /// How long after the end.
    pub keep_for: Duration,
    /// The most bytes that all of them may take on the disk.
    pub keep_bytes: u64,
}

impl Default for SweepOptions {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self { keep_for: Duration::from_secs(7 * DAY), keep_bytes: 1 << 30 }
    }
}

/// A record that may go.
pub(crate) struct Room {
    id: Id,
    ended: UnixMillis,
    bytes: u64,
}

impl Room {
    /// That of a guest that has ended at that time, and whose directory holds these names.
    pub(crate) fn of(guest: &GuestDir, ended: UnixMillis, names: &[OsString]) -> Result<Self, StateError> {
        let bytes = bytes(guest.directory(), names).map_err(StateError::errno(guest.path()))?;
        Ok(Self { id: guest.id().clone(), ended, bytes })
    }

    /// That of a damaged record, whose time is that of its last change; `None` as long as somebody works on it.
    pub(crate) fn of_damaged(guest: &GuestDir) -> Result<Option<Self>, StateError> {
        if guest.has_supervisor()? {
            return Ok(None);
        }
        let changed = || guest.directory().handle().metadata()?.modified();
        let changed = changed().map_err(StateError::io(guest.path()))?;
        Self::of(guest, changed.into(), &guest.names()?).map(Some)
    }
}

/// Removes the records whose time has come. Gives those that went, and what could not be done.
pub(crate) fn expire(
    state: &StateDir,
    options: &SweepOptions,
    now: UnixMillis,
    mut rooms: Vec<Room>,
) -> (Vec<Id>, Vec<StateError>) {
    let mut problems = Vec::new();
    rooms.sort_by(|a, b| (a.ended, &a.id).cmp(&(b.ended, &b.id)));
    let mut total: u64 = rooms.iter().map(|room| room.bytes).sum();
    let mut expired = Vec::new();
    for room in rooms {
        if room.ended.age(now) <= options.keep_for && total <= options.keep_bytes {
            continue;
        }
        match state.remove(&room.id) {
            Ok(()) => {
                total = total.saturating_sub(room.bytes);
                expired.push(room.id);
            }
            // One that stays keeps no other.
            Err(error) => problems.push(error),
        }
    }
    (expired, problems)
}

/// What a guest's directory takes on the disk.
fn bytes(directory: &Directory, names: &[OsString]) -> Result<u64, Errno> {
    let bytes_of = |stat: Stat| u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(SECTOR);
    let own = bytes_of(directory.stat(".")?);
    // Another process may just remove one of them.
    let files = names.iter().filter_map(|name| directory.stat(name).ok()).map(bytes_of);
    Ok(files.fold(own, u64::saturating_add))
}
