//! Writes a guest's output, and never fails: what the disk does not take is counted.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};

use nex_file::directory::Directory;
use rustix::fs::{AtFlags, unlinkat};
use rustix::io::{Errno, pwritev};

use crate::event::Losses;
use crate::spool::format::{ENTRY_HEADER, EntryHeader, MOST_DATA, SEGMENT_HEADER, SegmentHeader, Stream};
use crate::spool::segments;
use crate::time::UnixMillis;

/// The most bytes that a spool takes when nobody says another number.
pub const DEFAULT_LIMIT: u64 = 16 << 20;

/// The least bytes that a spool can do with.
pub const LEAST_LIMIT: u64 = 64 << 10;

/// How many segments there are at most. With more of them, less is lost at once; with fewer, there are fewer files.
const SEGMENTS: u64 = 8;

/// How a spool is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    /// The most bytes that all segments take together; at least [`LEAST_LIMIT`].
    pub limit: u64,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self { limit: DEFAULT_LIMIT }
    }
}

/// Writes a guest's output into its directory. Nothing is held back in memory: what was written is there when the writer is killed.
/// It waits for no disk but where the kernel makes it, and asks for no sync, so that a power cut may take the last seconds.
#[derive(Debug)]
pub struct SpoolWriter {
    directory: Directory,
    /// The most bytes of a segment.
    segment_limit: u64,
    /// The number that the next segment gets.
    next_number: u64,
    /// The segments that are there, the oldest first: their numbers, and how many bytes of output each has.
    segments: VecDeque<(u64, u64)>,
    /// The one that is written to, and how long it is.
    current: Option<(File, u64)>,
    /// How many bytes of output there were so far.
    position: u64,
    losses: Losses,
}

impl SpoolWriter {
    /// Begins a spool in a directory that has none. No file is made before there is output.
    ///
    /// # Errors
    /// When the directory cannot be opened once more.
    pub fn new(directory: &Directory, options: SpoolOptions) -> io::Result<Self> {
        Ok(Self {
            directory: directory.again()?,
            segment_limit: options.limit.max(LEAST_LIMIT) / SEGMENTS,
            next_number: 0,
            segments: VecDeque::new(),
            current: None,
            position: 0,
            losses: Losses::default(),
        })
    }

    /// Keeps output that came at this time.
    pub fn write(&mut self, stream: Stream, output: &[u8], time: UnixMillis) {
        let room =
            usize::try_from(self.segment_limit).unwrap_or(usize::MAX).saturating_sub(SEGMENT_HEADER + ENTRY_HEADER);
        for data in output.chunks(room.clamp(1, MOST_DATA)) {
            if self.keep(stream, data, time).is_err() {
                self.losses.dropped_bytes = self.losses.dropped_bytes.saturating_add(data.len() as u64);
            }
            self.position = self.position.saturating_add(data.len() as u64);
        }
    }

    /// How many bytes of output there were so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What of it is not there any more.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// Keeps an entry. A full disk gets the oldest of several segments back, one for each entry: what came last says most.
    fn keep(&mut self, stream: Stream, data: &[u8], time: UnixMillis) -> io::Result<()> {
        match self.append(stream, data, time) {
            Err(Errno::NOSPC | Errno::DQUOT) if self.segments.len() > 1 && self.remove_oldest() => {
                self.append(stream, data, time).map_err(io::Error::from)
            }
            kept => kept.map_err(io::Error::from),
        }
    }

    fn append(&mut self, stream: Stream, data: &[u8], time: UnixMillis) -> Result<(), Errno> {
        let bytes = (ENTRY_HEADER + data.len()) as u64;
        if self.current.as_ref().is_none_or(|(_, length)| length + bytes > self.segment_limit) {
            self.begin_segment()?;
        }
        let Some((file, length)) = &mut self.current else { return Err(Errno::BADF) };
        let length_of_data = u32::try_from(data.len()).map_err(|_| Errno::FBIG)?;
        let header = EntryHeader { length: length_of_data, stream, position: self.position, time: time.0 };
        let written = pwritev(&*file, &[IoSlice::new(&header.encode(data)), IoSlice::new(data)], *length);
        if written == Ok(ENTRY_HEADER + data.len()) {
            *length += bytes;
            if let Some((_, kept)) = self.segments.back_mut() {
                *kept += data.len() as u64;
            }
            return Ok(());
        }
        // What is half there must not be left: bytes of the guest's would follow the next entry, and look like one if it wants so.
        if rustix::fs::ftruncate(&*file, *length).is_err() {
            self.current = None;
        }
        Err(written.err().unwrap_or(Errno::NOSPC))
    }

    /// Goes on in a new segment. The oldest makes room for it first, so that the bound holds at any time. Who sees the new one knows
    /// that the one before it is complete, even if the new one does not come to hold anything.
    fn begin_segment(&mut self) -> Result<(), Errno> {
        self.current = None;
        while self.segments.len() as u64 >= SEGMENTS && self.remove_oldest() {}
        let (number, name) = (self.next_number, segments::name(self.next_number));
        self.next_number = number.saturating_add(1);
        let file = self.directory.new_file(&name).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let header = SegmentHeader { number, position: self.position }.encode();
        match rustix::io::pwrite(&file, &header, 0) {
            Ok(SEGMENT_HEADER) => {
                self.segments.push_back((number, 0));
                self.current = Some((file, SEGMENT_HEADER as u64));
                Ok(())
            }
            written => {
                let _ = unlinkat(self.directory.handle(), &name, AtFlags::empty());
                Err(written.err().unwrap_or(Errno::NOSPC))
            }
        }
    }

    /// Whether there was one to remove.
    fn remove_oldest(&mut self) -> bool {
        let Some((number, bytes)) = self.segments.pop_front() else { return false };
        let _ = unlinkat(self.directory.handle(), segments::name(number), AtFlags::empty());
        self.losses.overwritten_bytes = self.losses.overwritten_bytes.saturating_add(bytes);
        true
    }
}
