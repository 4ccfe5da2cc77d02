//! An entry that is there: opened, and as far as it costs nothing, checked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;

use nex_file::directory::Directory;
use nex_file::trust;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use rustix::io::Errno;

use crate::header::{self, FileFacts, Header};
use crate::key::{Key, Shelf};
use crate::sum;

/// An entry. Its files stay readable when another process removes it meanwhile.
#[derive(Debug)]
pub struct Entry {
    header_file: File,
    header: Header,
    files: BTreeMap<String, File>,
}

/// Why an entry cannot be had.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is none.
    NotThere,
    /// There is something in its place, and this is wrong with it.
    Damaged(String),
}

impl Entry {
    /// Opens an entry of a shelf. Its directory, its header and its files must be the caller's alone, the header whole, and the
    /// files as long as it says.
    pub(crate) fn open(directory: &Directory, shelf: Shelf, key: &Key) -> Result<Self, Missing> {
        let damaged = |error: &dyn std::fmt::Display| Missing::Damaged(error.to_string());
        let entry = match directory.open(key.as_str()) {
            Ok(entry) => entry,
            Err(Errno::NOENT) => return Err(Missing::NotThere),
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(Missing::Damaged("it is not a directory".into())),
            Err(error) => return Err(damaged(&error)),
        };
        let metadata = entry.handle().metadata().map_err(|error| damaged(&error))?;
        trust::is_the_callers(&metadata).map_err(|why| Missing::Damaged(format!("it {why}")))?;
        let header_file = open_file(&entry, header::NAME)?;
        let header = Header::read(&header_file).map_err(Missing::Damaged)?;
        if header.shelf != shelf.name() || header.key != key.as_str() {
            return Err(Missing::Damaged("it is another entry".into()));
        }
        let mut files = BTreeMap::new();
        for facts in &header.files {
            let file = open_file(&entry, &facts.name)?;
            let length = file.metadata().map_err(|error| Missing::Damaged(error.to_string()))?.len();
            if length != facts.length {
                let FileFacts { name, length: expected, .. } = facts;
                return Err(Missing::Damaged(format!("{name} has {length} bytes, not {expected}")));
            }
            files.insert(facts.name.clone(), file);
        }
        Ok(Self { header_file, header, files })
    }

    /// Says that the entry was of use: those that were not for the longest time go first.
    pub(crate) fn touch(&self) {
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: omit, last_modification: now };
        // In a cache that cannot be written to, nothing goes at all.
        let _ = futimens(&self.header_file, &times);
    }

    /// What it is, for people.
    pub fn about(&self) -> &str {
        &self.header.about
    }

    /// One of its files, at its beginning. Its bytes are not checked.
    ///
    /// # Errors
    /// When it has none of this name.
    pub fn file(&self, name: &str) -> io::Result<&File> {
        self.files.get(name).ok_or_else(|| io::Error::other(format!("the cache's entry has no file {name}")))
    }

    /// All bytes of one of its files, which must be `most` at the most, checked.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let file = self.file(name)?;
        if file.metadata()?.len() > most {
            return Err(io::Error::other(format!("{name} is longer than it can be")));
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        let expected = self.header.files.iter().find(|facts| facts.name == name).map(|facts| facts.sum);
        if expected == Some(sum::of_bytes(&bytes)) { Ok(bytes) } else { Err(damaged(name)) }
    }

    /// Reads one of its files whole to check it, and leaves it at its beginning.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn check(&self, name: &str) -> io::Result<()> {
        let expected = self.header.files.iter().find(|facts| facts.name == name).map(|facts| facts.sum);
        let mut file = self.file(name)?;
        if expected != Some(sum::of_file(file)?) {
            return Err(damaged(name));
        }
        file.rewind()
    }

    /// Checks every byte of it.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check_all(&self) -> io::Result<()> {
        self.files.keys().try_for_each(|name| self.check(name))
    }
}

fn damaged(name: &str) -> io::Error {
    io::Error::other(format!("the bytes of {name} are not those that were kept"))
}

/// Opens a regular file in an entry that is the caller's alone, under no other name.
fn open_file(directory: &Directory, name: &str) -> Result<File, Missing> {
    let damaged = |what: String| Missing::Damaged(format!("{name} {what}"));
    // A name with a slash would lead out of the entry.
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(Missing::Damaged("its header names what cannot be in it".into()));
    }
    let file = match directory.file(name) {
        Ok(file) => file,
        // An entry that is being removed by another process looks the same.
        Err(Errno::NOENT) => return Err(damaged("is missing".into())),
        Err(Errno::LOOP) => return Err(damaged("is a symbolic link".into())),
        Err(error) => return Err(damaged(format!("cannot be opened: {error}"))),
    };
    let metadata = file.metadata().map_err(|error| damaged(format!("cannot be looked at: {error}")))?;
    if !metadata.is_file() {
        return Err(damaged("is not a regular file".into()));
    }
    trust::is_the_callers(&metadata).map_err(|why| damaged(why.to_string()))?;
    if metadata.nlink() > 1 {
        return Err(damaged("has other names, which may be anywhere".into()));
    }
    Ok(file)
}
