//! When records of guests that have ended go: after some days, and the oldest first where they take too much.

use std::time::Duration;

use nex_file::directory::Directory;
use rustix::fs::Stat;

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
struct Room {
    id: Id,
    ended: UnixMillis,
    bytes: u64,
}

/// Removes the records whose time has come. Gives those that went, and what could not be done.
pub(crate) fn expire(
    state: &StateDir,
    options: &SweepOptions,
    now: UnixMillis,
) -> Result<(Vec<Id>, Vec<StateError>), StateError> {
    let (mut rooms, mut problems) = (Vec::new(), Vec::new());
    for id in state.ids()? {
        match room(state, &id) {
            Ok(room) => rooms.extend(room),
            Err(error) => problems.push(error),
        }
    }
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
    Ok((expired, problems))
}

/// What a record takes, if it may go.
fn room(state: &StateDir, id: &Id) -> Result<Option<Room>, StateError> {
    let Some(guest) = state.guest(id)? else { return Ok(None) };
    let ended = match guest.record() {
        Ok(record) => record.ended.map(|(time, _)| time),
        Err(StateError::Unreadable { .. }) => Some(changed(&guest)?),
        Err(error) => return Err(error),
    };
    let Some(ended) = ended else { return Ok(None) };
    let bytes = bytes(guest.directory()).map_err(StateError::errno(guest.path()))?;
    Ok(Some(Room { id: id.clone(), ended, bytes }))
}

/// When a damaged record was last changed.
fn changed(guest: &GuestDir) -> Result<UnixMillis, StateError> {
    let metadata = guest.directory().handle().metadata().map_err(StateError::io(guest.path()))?;
    metadata.modified().map(UnixMillis::from).map_err(StateError::io(guest.path()))
}

/// What a guest's directory takes on the disk.
fn bytes(directory: &Directory) -> Result<u64, rustix::io::Errno> {
    let bytes_of = |stat: &Stat| u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(SECTOR);
    let mut bytes = bytes_of(&directory.stat(".")?);
    let names =
        directory.names().map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))?;
    for name in names {
        // Another process may just remove it.
        if let Ok(stat) = directory.stat(&name) {
            bytes = bytes.saturating_add(bytes_of(&stat));
        }
    }
    Ok(bytes)
}
