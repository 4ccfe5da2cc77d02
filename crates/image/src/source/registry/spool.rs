//! Where a layer waits for its turn: in the file where it will be kept, or else in one that has no name.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::keep::NewBlob;

/// A file that grows while a layer arrives.
pub(super) enum Spool {
    /// It stays, once its digest is known to be right.
    Kept(Box<dyn NewBlob>),
    /// It goes with the process, however that ends.
    Unnamed(File),
}

impl Spool {
    /// A file without a name in a directory, on a file system that has such files (`O_TMPFILE`).
    pub(super) fn unnamed(directory: &Path) -> Option<Spool> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        Some(Spool::Unnamed(rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR).ok()?.into()))
    }

    /// The same file, to be read at any place.
    pub(super) fn reader(&self) -> io::Result<File> {
        match self {
            Spool::Kept(blob) => blob.reader(),
            Spool::Unnamed(file) => file.try_clone(),
        }
    }

    /// Adds to its end.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Spool::Kept(blob) => blob.write_all(bytes),
            Spool::Unnamed(file) => file.write_all(bytes),
        }
    }

    /// What is to be written on after the layer's turn has come.
    pub(super) fn into_kept(self) -> Option<Box<dyn NewBlob>> {
        match self {
            Spool::Kept(blob) => Some(blob),
            Spool::Unnamed(_) => None,
        }
    }
}
