//! Where a layer waits for its turn: in its file in the cache, or else in one that has no name.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::blob_cache::NewBlob;

/// What must be free for each byte that waits in a file without a name. The output grows beside it, and is what the room is
/// for: layers unpack to some three times their size.
const ROOM: u64 = 8;

/// Whether so many bytes can wait in files without names in a directory, and leave room for the rest.
pub(super) fn has_room(directory: &Path, bytes: u64) -> bool {
    let Ok(disk) = rustix::fs::statvfs(directory) else { return false };
    bytes.saturating_mul(ROOM) <= disk.f_bavail.saturating_mul(disk.f_frsize)
}

/// A file without a name in a directory, on a file system that has such files (`O_TMPFILE`).
pub(super) fn unnamed(directory: &Path) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Some(rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR).ok()?.into())
}

/// A file that grows while a layer arrives.
pub(super) enum Spool {
    /// It stays, once its digest is known to be right.
    Cached(Box<dyn NewBlob>),
    /// It goes with the process, however that ends.
    Unnamed(File),
}

impl Spool {
    /// The same file, to be read at any place.
    pub(super) fn reader(&self) -> io::Result<File> {
        match self {
            Spool::Cached(blob) => blob.reader(),
            Spool::Unnamed(file) => file.try_clone(),
        }
    }

    /// Adds to its end.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Spool::Cached(blob) => blob.write_all(bytes),
            Spool::Unnamed(file) => file.write_all(bytes),
        }
    }

    /// What is to be written on after the layer's turn has come.
    pub(super) fn into_cached(self) -> Option<Box<dyn NewBlob>> {
        match self {
            Spool::Cached(blob) => Some(blob),
            Spool::Unnamed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::has_room;

    #[test]
    fn what_would_take_the_room_of_the_output_does_not_wait_beside_it() {
        let directory = std::env::temp_dir();
        assert!(has_room(&directory, 1));
        // No disk is so large.
        assert!(!has_room(&directory, u64::MAX / 16));
        assert!(!has_room(&directory.join("missing"), 1));
    }
}
