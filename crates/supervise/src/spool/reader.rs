//! Reads a guest's output, while it is written or later. Each entry is checked, and what is no entry ends
//! its segment.

use std::fs::File;
use std::io;

use nex_file::directory::Directory;
use rustix::io::{Errno, pread};

use crate::spool::format::{ENTRY_HEADER, EntryHeader, SEGMENT_HEADER, SegmentHeader, Stream};
use crate::spool::segments;
use crate::time::UnixMillis;

/// How often the oldest segment is looked for again that the writer has just removed.
const ATTEMPTS: usize = 100;

/// Output of a guest, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Where it comes from.
    pub stream: Stream,
    /// When it came.
    pub time: UnixMillis,
    /// How many bytes of output there were before it.
    pub position: u64,
    /// The output.
    pub bytes: Vec<u8>,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Output.
    Output(Output),
    /// So many bytes of output are not there any more, or never were.
    Lost(u64),
}

/// Reads a guest's output from the oldest that is there on.
#[derive(Debug)]
pub struct SpoolReader {
    directory: Directory,
    current: Option<Segment>,
    /// The number of the last segment that is done with.
    passed: Option<u64>,
    /// Where the next entry begins if nothing is lost.
    position: u64,
    /// An entry that is read, and before which something is lost.
    waiting: Option<Output>,
}

#[derive(Debug)]
struct Segment {
    file: File,
    number: u64,
    offset: u64,
}

impl SpoolReader {
    /// A reader of the spool in a directory, at its beginning.
    ///
    /// # Errors
    /// When the directory cannot be opened once more.
    pub fn new(directory: &Directory) -> io::Result<Self> {
        Ok(Self { directory: directory.again()?, current: None, passed: None, position: 0, waiting: None })
    }

    /// Where the next entry begins if nothing is lost.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next piece; `None` when there is none yet. Who follows a guest asks again later, and who knows that nobody writes any more
    /// has come to the end.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        if let Some(output) = self.waiting.take() {
            return Ok(Some(self.hand_out(output)));
        }
        loop {
            if self.current.is_none() && !self.open_next()? {
                return Ok(None);
            }
            if let Some(output) = self.read_entry()? {
                return Ok(Some(self.arrive(output)));
            }
            // Nothing whole stands there. If there is a segment behind this one, nothing will: but the writer may have written an
            // entry, and then begun that segment, since the look above.
            let number = self.current.as_ref().map(|segment| segment.number);
            if segments::next_after(&self.directory, number)?.is_none() {
                return Ok(None);
            }
            if let Some(output) = self.read_entry()? {
                return Ok(Some(self.arrive(output)));
            }
            (self.passed, self.current) = (number, None);
        }
    }

    /// An entry has come; what is lost before it comes first.
    fn arrive(&mut self, output: Output) -> Piece {
        let lost = output.position - self.position;
        if lost == 0 {
            return self.hand_out(output);
        }
        self.position = output.position;
        self.waiting = Some(output);
        Piece::Lost(lost)
    }

    fn hand_out(&mut self, output: Output) -> Piece {
        self.position = self.position.saturating_add(output.bytes.len() as u64);
        Piece::Output(output)
    }

    /// Opens the next segment that has a whole header; false when there is none yet.
    fn open_next(&mut self) -> io::Result<bool> {
        for _ in 0..ATTEMPTS {
            let Some(number) = segments::next_after(&self.directory, self.passed)? else { return Ok(false) };
            let file = match self.directory.file(&segments::name(number)) {
                Ok(file) => file,
                // The writer was faster, and has removed it.
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            // As with entries: a header that is not whole stays so once there is a segment behind it.
            let mut is_whole = has_header(&file, number)?;
            if !is_whole && segments::next_after(&self.directory, Some(number))?.is_none() {
                return Ok(false);
            }
            is_whole = is_whole || has_header(&file, number)?;
            if is_whole {
                self.current = Some(Segment { file, number, offset: SEGMENT_HEADER as u64 });
                return Ok(true);
            }
            self.passed = Some(number);
        }
        Ok(false)
    }

    /// The entry that stands where the reader is; `None` when no whole one does.
    fn read_entry(&mut self) -> io::Result<Option<Output>> {
        let Some(segment) = &mut self.current else { return Ok(None) };
        let mut head = [0; ENTRY_HEADER];
        if !read_whole(&segment.file, &mut head, segment.offset)? {
            return Ok(None);
        }
        let Some(header) = EntryHeader::decode(&head) else { return Ok(None) };
        let mut bytes = vec![0; usize::try_from(header.length).map_err(io::Error::other)?];
        let is_whole = read_whole(&segment.file, &mut bytes, segment.offset + ENTRY_HEADER as u64)?;
        // Output never goes back.
        if !is_whole || !EntryHeader::is_sound(&head, &bytes) || header.position < self.position {
            return Ok(None);
        }
        segment.offset += (ENTRY_HEADER + bytes.len()) as u64;
        let EntryHeader { stream, position, time, .. } = header;
        Ok(Some(Output { stream, time: UnixMillis(time), position, bytes }))
    }
}

/// Whether a file begins with the header of this segment.
fn has_header(file: &File, number: u64) -> io::Result<bool> {
    let mut header = [0; SEGMENT_HEADER];
    let is_there = file.metadata()?.is_file() && read_whole(file, &mut header, 0)?;
    Ok(is_there && SegmentHeader::decode(&header).is_some_and(|found| found.number == number))
}

/// Whether a file has all of these bytes at this place.
fn read_whole(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<bool> {
    while !bytes.is_empty() {
        match pread(file, &mut *bytes, offset) {
            Ok(0) => return Ok(false),
            Ok(count) => {
                offset += count as u64;
                bytes = bytes.get_mut(count..).unwrap_or_default();
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
