//! How large a cache may become, and what goes first when it is larger.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::directory::open_directory;
use super::header;
use super::key::{Key, Shelf};
use super::store::Cache;
use crate::bytes::human;

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
pub fn all(cache: &Cache) -> io::Result<Vec<Room>> {
    let mut rooms = Vec::new();
    for shelf in Shelf::ALL {
        for entry in std::fs::read_dir(cache.shelf(shelf))? {
            let entry = entry?;
            let Some(key) = Key::parse(entry.file_name().as_encoded_bytes()) else { continue };
            // Another process may just remove it.
            let Ok((bytes, used)) = measure(&entry.path()) else { continue };
            rooms.push(Room { shelf, key, bytes, used });
        }
    }
    rooms.sort_by(|a, b| (a.used, a.shelf, &a.key).cmp(&(b.used, b.shelf, &b.key)));
    Ok(rooms)
}

fn measure(path: &Path) -> io::Result<(u64, SystemTime)> {
    let metadata = path.symlink_metadata()?;
    let mut bytes = metadata.blocks() * SECTOR;
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            bytes += entry?.metadata()?.blocks() * SECTOR;
        }
    }
    // What has no header was of no use at all.
    let used = path.join(header::NAME).symlink_metadata().and_then(|header| header.modified());
    Ok((bytes, used.unwrap_or(SystemTime::UNIX_EPOCH)))
}

/// Removes entries until the rest takes `limit` bytes at most, and gives those that went. While another process is at it,
/// this one waits, or nothing goes, as `lock` says.
///
/// # Errors
/// When the cache cannot be read or changed.
pub fn evict(cache: &Cache, limit: u64, lock: FlockOperation) -> io::Result<Vec<Room>> {
    let root = open_directory(cache.root())?;
    match flock(&root, lock) {
        Err(Errno::WOULDBLOCK) => return Ok(Vec::new()),
        result => result?,
    }
    let rooms = all(cache)?;
    let mut total: u64 = rooms.iter().map(|room| room.bytes).sum();
    let mut gone = Vec::new();
    for room in rooms {
        if total <= limit {
            break;
        }
        cache.remove(room.shelf, &room.key)?;
        total -= room.bytes;
        gone.push(room);
    }
    Ok(gone)
}

/// Refuses what would not stay, or would take the last of the disk from others.
///
/// # Errors
/// In words, why.
pub fn check_room(root: &Path, bytes: u64, limit: u64) -> io::Result<()> {
    if bytes > limit {
        return Err(io::Error::other(format!("{bytes} bytes are more than its limit of {limit} (--cache-limit)")));
    }
    let disk = rustix::fs::statvfs(root)?;
    let [total, free] = [disk.f_blocks, disk.f_bavail].map(|blocks| blocks.saturating_mul(disk.f_frsize));
    let for_others = (total / PART_FOR_OTHERS).min(MOST_FOR_OTHERS);
    if free.saturating_sub(bytes) < for_others {
        return Err(io::Error::other(format!("the last {} of its file system are left to others", human(for_others))));
    }
    Ok(())
}
