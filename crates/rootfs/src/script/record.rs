//! What scripts have changed, kept in the cache: the changes as the sandbox tells them, and the bytes of files one after the
//! other.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use nex_cache::{Cache, Entry, Key, NewEntry, Shelf};
use nex_sandbox::{Change, Kind};

use crate::layer::symlink_target;

/// The file of the changes: each one in postcard's form, behind its length; then a length of 0, and how many there were.
const CHANGES: &str = "changes";

/// More bytes of changes than any script makes: they are kept in memory, as those of a run are.
const MOST_CHANGES: u64 = 1 << 30;

/// The length that no change has.
pub(super) const END: u32 = 0;

/// The bits of a mode that a script decides, and nanoseconds of a second.
const PERMISSIONS: u16 = 0o7777;
const SECOND: u32 = 1_000_000_000;

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
    count: u64,
}

impl<'a> Recorder<'a> {
    /// Begins a record.
    pub fn begin(cache: &'a Cache, key: &Key, about: &str) -> Self {
        let open = cache.begin(Shelf::Scripts, key, about, 0).map(|mut entry| {
            let changes = BufWriter::new(entry.file(CHANGES)?);
            let data = BufWriter::new(entry.file(DATA)?);
            io::Result::Ok(Open { entry, changes, data, count: 0 })
        });
        let open = open.transpose().unwrap_or_else(|error| {
            cache.not_stored(&error);
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
            open.count += 1;
            open.changes.write_all(&bytes)
        });
    }

    /// Takes down bytes of the file that the last change was about.
    pub fn data(&mut self, bytes: &[u8]) {
        self.write(|open| open.data.write_all(bytes));
    }

    /// That was all.
    pub fn publish(mut self) {
        self.write(|open| {
            open.changes.write_all(&END.to_le_bytes())?;
            open.changes.write_all(&open.count.to_le_bytes())?;
            open.changes.flush()?;
            open.data.flush()
        });
        if let Some(Open { entry, .. }) = self.open {
            self.cache.publish(entry);
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut Open) -> io::Result<()>) {
        if let Some(Err(error)) = self.open.as_mut().map(write) {
            self.cache.not_stored(&error);
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
        record.map_err(|error| cache.discard(Shelf::Scripts, key, &nex_fault::whole(&error))).ok()
    }

    fn open(entry: &Entry) -> io::Result<Self> {
        Self::of(&entry.read(CHANGES, MOST_CHANGES)?, |_| {
            entry.check(DATA)?;
            entry.file(DATA)?.try_clone()
        })
    }

    /// Of the bytes of the changes, and the file of the bytes that they say how many there are of.
    pub(super) fn of(changes: &[u8], data: impl FnOnce(u64) -> io::Result<File>) -> io::Result<Self> {
        let changes = decode(changes)?;
        let length = changes.iter().map(Change::content_length).fold(0, u64::saturating_add);
        let data = data(length)?;
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
    loop {
        let (length, rest) = bytes.split_first_chunk().ok_or_else(ends_early)?;
        let length = u32::from_le_bytes(*length);
        if length == END {
            let is_all = *rest == (changes.len() as u64).to_le_bytes();
            return if is_all { Ok(changes) } else { Err(io::Error::other("its changes are not all there")) };
        }
        let (change, rest) = rest.split_at_checked(length as usize).ok_or_else(ends_early)?;
        match postcard::take_from_bytes(change) {
            Ok((change, [])) if is_possible(&change) => changes.push_back(change),
            _ => return Err(io::Error::other("its changes cannot be read")),
        }
        bytes = rest;
    }
}

/// Whether a script can have made this change, as far as it shows without the tree. What the checksums let pass may still be
/// nonsense.
fn is_possible(change: &Change) -> bool {
    let Change::Set { node, .. } = change else { return true };
    let kind = match &node.kind {
        Kind::File { size, pieces } => {
            let mut free = 0;
            pieces.iter().all(|piece| {
                let end = piece.offset.checked_add(piece.length).filter(|end| end <= size);
                let is_behind = piece.offset >= free;
                free = end.unwrap_or(u64::MAX);
                is_behind && end.is_some()
            })
        }
        Kind::Symlink(target) => symlink_target(target.clone()).is_ok(),
        _ => true,
    };
    kind && node.mode & !PERMISSIONS == 0 && node.nanoseconds < SECOND
}

#[cfg(test)]
mod tests {
    use nex_sandbox::{Node, Piece};

    use super::*;

    fn file(size: u64, pieces: &[(u64, u64)]) -> Change {
        let piece = |&(offset, length): &(u64, u64)| Piece { offset, source: 0, length };
        let kind = Kind::File { size, pieces: pieces.iter().map(piece).collect() };
        set(0o644, kind)
    }

    fn set(mode: u16, kind: Kind) -> Change {
        let node =
            Node { path: b"a".into(), mode, uid: 0, gid: 0, seconds: 0, nanoseconds: 0, xattrs: Vec::new(), kind };
        Change::Set { node, new: true }
    }

    fn written(changes: &[Change], count: u64) -> Vec<u8> {
        let written = changes.iter().flat_map(|change| {
            let bytes = postcard::to_allocvec(change).unwrap();
            [(bytes.len() as u32).to_le_bytes().to_vec(), bytes].concat()
        });
        written.chain(END.to_le_bytes()).chain(count.to_le_bytes()).collect()
    }

    #[test]
    fn only_what_a_script_can_have_made_is_taken_back() {
        let possible = [file(9, &[(0, 4), (5, 4)]), file(0, &[]), Change::Removed(b"b".into())];
        let bytes = written(&possible, 3);
        assert_eq!(decode(&bytes).unwrap(), possible);
        assert!((0..bytes.len()).all(|end| decode(&bytes[..end]).is_err()), "cut short");
        assert!(decode(&written(&possible, 2)).is_err() && decode(&[&bytes[..], b"x"].concat()).is_err());
        let impossible = [
            file(9, &[(0, 5), (4, 1)]),
            file(8, &[(5, 4)]),
            file(u64::MAX, &[(u64::MAX, 2)]),
            set(0o10_644, Kind::Fifo),
            set(0o644, Kind::Symlink(Vec::new())),
        ];
        assert!(impossible.into_iter().all(|change| decode(&written(&[change], 1)).is_err()));
    }
}
