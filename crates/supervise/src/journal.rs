//! The journal of a guest: what has happened to it, a line of JSON for each event, and nothing that is written is changed.
//!
//! One process writes at a time. First that is the guest's supervisor, which has the lock of this file; when that is gone without a last
//! line, it is a sweep, which has the lock of the directory alone, and writes that line. So there is one last line.

use std::fs::File;
use std::io::{self, Read, Write};

use nex_file::directory::Directory;
use rustix::fs::{FallocateFlags, FlockOperation, Mode, OFlags, fallocate, flock};

use crate::event::{Ended, Event, Line};
use crate::time::UnixMillis;

/// The file's name in the guest's directory.
pub const NAME: &str = "journal";

/// The most bytes of a journal. No more is read.
pub const MOST: u64 = 64 << 10;

/// The most bytes of a line, with its end.
pub const LONGEST_LINE: usize = 16 << 10;

/// What ends a line that was torn. It may be whole but for its end: nobody has read it so far, and nobody must from now on.
const END_OF_TORN: &[u8] = b"~\n";

/// What is kept free for the last line.
const FOR_THE_END: u64 = 2 << 10;

/// Where events stop that may come any number of times. They leave room for those of which each counts.
const MOST_WITH_REPEATED: u64 = 48 << 10;

/// The most bytes of a last line, with what may have to go before it.
pub const LONGEST_END: u64 = 512;

/// The most bytes of a journal behind an event.
fn most_behind(event: &Event) -> u64 {
    match event {
        Event::Ended(_) => MOST,
        Event::Created(_) | Event::Makes(_) | Event::Started(_) | Event::Up => MOST - FOR_THE_END,
        Event::Restarted(_) | Event::StopAsked(_) | Event::Unknown => MOST_WITH_REPEATED,
    }
}

/// A journal that this process may write. A supervisor's has the lock of the file.
#[derive(Debug)]
pub struct Journal {
    file: File,
    length: u64,
    /// Whether the last line has no end: the one who wrote it was killed, or the disk was full.
    is_torn: bool,
    dropped_events: u64,
    /// The guest's directory, locked.
    lock: File,
}

impl Journal {
    /// Begins the journal in a guest's new directory, which is locked by this handle, and locks it.
    ///
    /// # Errors
    /// When the disk does not take it, or the first line is too long.
    pub(crate) fn begin(directory: &Directory, created: Event) -> io::Result<Self> {
        let file = directory.new_file(NAME)?;
        // A network file system has locks of files that are open for writing on its server, and those of directories on each machine.
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // The last line has to find its place, however full the disk is by then. Where the file system keeps none free, it may not.
        let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, MOST);
        let lock = directory.handle().try_clone()?;
        let mut journal = Self { file, length: 0, is_torn: false, dropped_events: 0, lock };
        if !journal.write(created)? {
            return Err(io::Error::other("the first line of the guest's journal would be too long"));
        }
        journal.file.sync_all()?;
        Ok(journal)
    }

    /// Goes on with a journal whose writer is gone. The directory is locked by this handle.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub(crate) fn resume(directory: &Directory) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(directory.handle(), NAME, flags, Mode::empty())?);
        let bytes = read_all(&file)?;
        let length = file.metadata()?.len();
        let lock = directory.handle().try_clone()?;
        let is_torn = bytes.last().is_some_and(|last| *last != b'\n');
        Ok(Self { file, length, is_torn, dropped_events: 0, lock })
    }

    /// Notes an event. Where there is no room left for one, it is counted: the last line says how many there were.
    ///
    /// # Errors
    /// When the disk does not take it, or when there is no room for what a sweep has to know: `makes` and `started`. It counts as well, and
    /// what is written later is read all the same.
    pub fn note(&mut self, event: Event) -> io::Result<()> {
        let is_needed = matches!(event, Event::Makes(_) | Event::Started(_));
        let noted = self.write(event);
        if !matches!(noted, Ok(true)) {
            self.dropped_events += 1;
        }
        match noted {
            Ok(false) if is_needed => Err(io::Error::other("the guest's journal has no room left")),
            noted => noted.map(drop),
        }
    }

    /// Writes the last line, and lets go of the guest. The line is on the disk, be there a power cut right after.
    ///
    /// # Errors
    /// When the disk does not take it. The next sweep then writes one.
    pub fn end(mut self, mut ended: Ended) -> io::Result<()> {
        ended.losses.dropped_events = ended.losses.dropped_events.saturating_add(self.dropped_events);
        if !self.write(Event::Ended(ended))? {
            return Err(io::Error::other("the journal has no room for its last line"));
        }
        // What was kept free for that line is given back.
        let _ = self.file.set_len(self.length);
        self.file.sync_all()?;
        drop(self.lock);
        Ok(())
    }

    /// How many events were not written so far.
    pub fn dropped_events(&self) -> u64 {
        self.dropped_events
    }

    /// Whether there was room for it.
    fn write(&mut self, event: Event) -> io::Result<bool> {
        let most = most_behind(&event);
        let mut bytes = if self.is_torn { END_OF_TORN.to_vec() } else { Vec::new() };
        serde_json::to_writer(&mut bytes, &Line::new(UnixMillis::now(), event))?;
        bytes.push(b'\n');
        let end = self.length.saturating_add(bytes.len() as u64);
        if bytes.len() > LONGEST_LINE || end > most {
            return Ok(false);
        }
        let mut place = At { file: &self.file, offset: self.length };
        let written = place.write_all(&bytes);
        if place.offset > self.length {
            self.is_torn = place.offset < end;
        }
        self.length = place.offset;
        written.map(|()| true)
    }
}

/// Writes to a file from a place on, and knows how far that went.
struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Write for At<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = rustix::io::pwrite(self.file, bytes, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes of a guest's journal, as many as one may have.
///
/// # Errors
/// When it cannot be read, or is no regular file.
pub(crate) fn read(directory: &Directory) -> io::Result<Vec<u8>> {
    read_all(&directory.file(NAME)?)
}

fn read_all(file: &File) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    // From the beginning, whatever was read before.
    let mut file = file.try_clone()?;
    io::Seek::rewind(&mut file)?;
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
