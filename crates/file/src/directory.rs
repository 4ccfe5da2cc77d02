//! Directories of the caller's own, by their handles: whatever becomes of a name, the directory that was looked at is the one that
//! is read and written.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::way::{self, Missing, Reached, WayError};
use crate::{private, trust};

/// The mode of what is made in them.
const DIRECTORY: Mode = Mode::from_bits_retain(private::DIRECTORY);
const FILE: Mode = Mode::from_bits_retain(private::FILE);

/// A directory.
#[derive(Debug)]
pub struct Directory {
    handle: File,
    /// Where it was, for messages.
    path: PathBuf,
}

impl Directory {
    /// Goes to a directory by a way that nobody else can change; `None` when it is missing and stays so. The handle only names it.
    ///
    /// # Errors
    /// When the system refuses it, or others can change it or the way to it.
    pub fn reach(path: &Path, missing: Missing) -> Result<Option<Self>, WayError> {
        let reached = way::open(path, missing)?;
        Ok(reached.map(|Reached { handle, .. }| Self { handle, path: path.into() }))
    }

    /// Where it was, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The handle.
    pub fn handle(&self) -> &File {
        &self.handle
    }

    /// Opens a directory in it, made where it is missing, that must be the caller's alone.
    ///
    /// # Errors
    /// When the system refuses it, or others can change it.
    pub fn level(&self, name: &str) -> Result<Self, WayError> {
        let directory = match self.open(name) {
            Err(Errno::NOENT) => {
                private::create_directory_in(&self.handle, name.as_ref())?;
                self.open(name)
            }
            result => result,
        };
        let directory = match directory {
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(WayError::NotADirectory),
            directory => directory?,
        };
        let metadata = directory.handle.metadata()?;
        trust::is_the_callers(&metadata).map_err(|why| WayError::Distrust { path: directory.path.clone(), why })?;
        if metadata.mode() & 0o777 != DIRECTORY.as_raw_mode() {
            // Who can read it can hold its lock. Where it cannot be changed, nothing is written either.
            let _ = rustix::fs::fchmod(&directory.handle, DIRECTORY);
        }
        Ok(directory)
    }

    /// Makes a directory in it that nobody else may enter.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(&self, name: &str) -> io::Result<()> {
        private::create_new_directory_in(&self.handle, name.as_ref())
    }

    /// Opens a directory in it, but no symbolic link to one.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self, name: impl AsRef<OsStr>) -> Result<Self, Errno> {
        let name = name.as_ref();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, name, flags, Mode::empty())?;
        Ok(Self { handle: handle.into(), path: self.path.join(name) })
    }

    /// A handle of its own for the same directory: locks belong to handles.
    ///
    /// # Errors
    /// What the system says.
    pub fn again(&self) -> Result<Self, Errno> {
        Ok(Self { handle: self.open(".")?.handle, path: self.path.clone() })
    }

    /// Opens a file in it for reading, whatever it is; a symbolic link is none, and nothing is waited for.
    ///
    /// # Errors
    /// What the system says.
    pub fn file(&self, name: &str) -> Result<File, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.handle, name, flags, Mode::empty()).map(File::from)
    }

    /// Makes a file in it, open for reading and writing.
    ///
    /// # Errors
    /// What the system says, also when the name is taken.
    pub fn new_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.handle, name, flags, FILE)?);
        // The umask takes from the mode above.
        rustix::fs::fchmod(&file, FILE)?;
        Ok(file)
    }

    /// What stands at a name; no link is followed.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat(&self, name: impl AsRef<OsStr>) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.handle, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Gives something the name `new` in another directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, name: impl AsRef<OsStr>, target: &Self, new: &str) -> Result<(), Errno> {
        rustix::fs::renameat(&self.handle, name.as_ref(), &target.handle, new)
    }

    /// All names in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }
}
