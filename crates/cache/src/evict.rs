//! How large a cache may become, and what goes first when it is larger.

use std::ffi::OsStr;
use std::io;
use std::time::{Duration, SystemTime};

use nex_file::directory::Directory;
use rustix::fs::{FileType, Stat};

use crate::error::NoRoom;
use crate::header;
use crate::key::{Key, Shelf};
use crate::shelves::Shelves;

/// The part of a file system that a cache leaves to others: a tenth, but no more than 1 GiB.
const PART_FOR_OTHERS: u64 = 10;
const MOST_FOR_OTHERS: u64 = 1 << 30;

/// What `st_blocks` counts in.
const SECTOR: u64 = 512;

/// What an entry takes, and since when it was of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Its shelf.
    pub shelf: Shelf,
    /// Its key.
    pub key: Key,
    /// Bytes on the disk; blocks that several files share count for each.
    pub bytes: u64,
    /// When it was of use for the last time.
    pub used: SystemTime,
}

/// All entries, the one that goes first first.
///
/// # Errors
/// When the cache cannot be read.
pub fn all(shelves: &Shelves) -> io::Result<Vec<Room>> {
    let mut rooms = Vec::new();
    for shelf in Shelf::ALL {
        let directory = shelves.shelf(shelf);
        for name in directory.names()? {
            let Some(key) = Key::parse(name.as_encoded_bytes()) else { continue };
            // Another process may just remove it.
            let Ok((bytes, used)) = measure(directory, &name) else { continue };
            rooms.push(Room { shelf, key, bytes, used });
        }
    }
    rooms.sort_by(|a, b| (a.used, a.shelf, &a.key).cmp(&(b.used, b.shelf, &b.key)));
    Ok(rooms)
}

fn measure(directory: &Directory, name: &OsStr) -> io::Result<(u64, SystemTime)> {
    let bytes_of = |stat: &Stat| u64::try_from(stat.st_blocks).unwrap_or_default() * SECTOR;
    let stat = directory.stat(name)?;
    let mut bytes = bytes_of(&stat);
    // What has no header was of no use at all.
    let mut used = SystemTime::UNIX_EPOCH;
    if FileType::from_raw_mode(stat.st_mode).is_dir()
        && let Ok(entry) = directory.open(name)
    {
        for name in entry.names()? {
            bytes += bytes_of(&entry.stat(name)?);
        }
        if let Ok(header) = entry.stat(header::NAME) {
            let seconds = Duration::from_secs(u64::try_from(header.st_mtime).unwrap_or_default());
            let time = seconds + Duration::from_nanos(header.st_mtime_nsec);
            used = SystemTime::UNIX_EPOCH.checked_add(time).unwrap_or(used);
        }
    }
    Ok((bytes, used))
}

/// Removes entries until the rest takes `limit` bytes at most, and gives those that went. Another process that is at it is waited
/// for as long as `patience` says.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when the other does not end; nothing went then. Otherwise when the cache cannot be read or changed.
pub fn evict(shelves: &Shelves, limit: u64, patience: Duration) -> io::Result<Vec<Room>> {
    let root = shelves.root.again()?;
    nex_file::lock::exclusive(root.handle(), patience)?;
    let rooms = all(shelves)?;
    let mut total: u64 = rooms.iter().map(|room| room.bytes).sum();
    let (mut gone, mut stays) = (Vec::new(), None);
    for room in rooms {
        if total <= limit {
            break;
        }
        match shelves.remove(room.shelf, &room.key) {
            Ok(()) => {
                total -= room.bytes;
                gone.push(room);
            }
            // One that stays must not keep the others.
            Err(error) => stays = Some(error),
        }
    }
    match stays {
        Some(error) if total > limit => Err(error),
        _ => Ok(gone),
    }
}

/// Refuses what would not stay, or would take the last of the disk from others.
///
/// # Errors
/// [`NoRoom`] in it, and what the system says.
pub fn check_room(root: &Directory, bytes: u64, limit: u64) -> io::Result<()> {
    if bytes > limit {
        return Err(io::Error::other(NoRoom::Limit { bytes, limit }));
    }
    let disk = rustix::fs::fstatvfs(root.handle())?;
    let [total, free] = [disk.f_blocks, disk.f_bavail].map(|blocks| blocks.saturating_mul(disk.f_frsize));
    let for_others = (total / PART_FOR_OTHERS).min(MOST_FOR_OTHERS);
    if free.saturating_sub(bytes) < for_others {
        return Err(io::Error::other(NoRoom::Disk(for_others)));
    }
    Ok(())
}
