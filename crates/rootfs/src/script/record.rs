//! What scripts have changed, kept in the cache: the changes as the sandbox tells them, and the bytes of files one after the
//! other.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use nex_sandbox::Change;

use crate::cache::{Cache, Entry, Key, NewEntry, Shelf};

/// The file of the changes: each one in postcard's form, behind its length.
const CHANGES: &str = "changes";

/// The file of the bytes.
const DATA: &str = "data";

/// A record in the making. What goes wrong with the cache is noted there, and the record given up.
pub struct Recorder<'a> {
    cache: &'a Cache,
    open: Option<Open>,
}

struct Open {
    entry: NewEntry,
    changes: BufWriter<File>,
    data: BufWriter<File>,
}

impl<'a> Recorder<'a> {
    /// Begins a record.
    pub fn begin(cache: &'a Cache, key: &Key, about: &str) -> Self {
        let open = cache.begin(Shelf::Scripts, key, about, 0).map(|mut entry| {
            let changes = BufWriter::new(entry.file(CHANGES)?);
            let data = BufWriter::new(entry.file(DATA)?);
            io::Result::Ok(Open { entry, changes, data })
        });
        let open = open.transpose().unwrap_or_else(|error| {
            cache.not_kept(&error);
            None
        });
        Self { cache, open }
    }

    /// Takes down a change.
    pub fn change(&mut self, change: &Change) {
        self.write(|open| {
            let bytes = postcard::to_allocvec(change).map_err(io::Error::other)?;
            let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
            open.changes.write_all(&length.to_le_bytes())?;
            open.changes.write_all(&bytes)
        });
    }

    /// Takes down bytes of the file that the last change was about.
    pub fn data(&mut self, bytes: &[u8]) {
        self.write(|open| open.data.write_all(bytes));
    }

    /// That was all.
    pub fn publish(mut self) {
        self.write(|open| open.changes.flush().and_then(|()| open.data.flush()));
        if let Some(Open { entry, .. }) = self.open {
            self.cache.publish(entry);
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut Open) -> io::Result<()>) {
        if let Some(Err(error)) = self.open.as_mut().map(write) {
            self.cache.not_kept(&error);
            self.open = None;
        }
    }
}

/// A record of an earlier run.
pub struct Record {
    changes: VecDeque<Change>,
    data: File,
    /// Where in it the next bytes are, and where those of the last change end.
    position: u64,
    end: u64,
}

impl Record {
    /// The record with this key, every byte of it checked. One that is damaged is removed.
    pub fn get(cache: &Cache, key: &Key) -> Option<Self> {
        let entry = cache.get(Shelf::Scripts, key)?;
        let record = Self::open(&entry);
        record.map_err(|error| cache.discard(Shelf::Scripts, key, &error.to_string())).ok()
    }

    fn open(entry: &Entry) -> io::Result<Self> {
        let changes = decode(&entry.read(CHANGES)?)?;
        entry.check(DATA)?;
        let data = entry.file(DATA)?.try_clone()?;
        let length = changes.iter().map(Change::content_length).fold(0, u64::saturating_add);
        match length == data.metadata()?.len() {
            true => Ok(Self { changes, data, position: 0, end: 0 }),
            false => Err(io::Error::other("changes and data do not belong together")),
        }
    }

    /// The next change.
    pub fn next_change(&mut self) -> Option<Change> {
        let change = self.changes.pop_front()?;
        self.position = self.end;
        self.end += change.content_length();
        Some(change)
    }

    /// The next bytes of the file that the last change was about.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end - self.position).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.data.read_at(&mut buffer[..most], self.position)?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += read as u64;
        Ok(read)
    }
}

fn decode(mut bytes: &[u8]) -> io::Result<VecDeque<Change>> {
    let ends_early = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let mut changes = VecDeque::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk().ok_or_else(ends_early)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (change, rest) = rest.split_at_checked(length).ok_or_else(ends_early)?;
        changes.push_back(postcard::from_bytes(change).map_err(io::Error::other)?);
        bytes = rest;
    }
    Ok(changes)
}
