//! A regular file's entry: a header, and exactly as many bytes as it says, whatever becomes of the file meanwhile. Holes stay holes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::fd::AsFd;

use nex_file::holes;
use nex_file::tree::is_same_state;
use nex_tar::{FileContent, Kind, SparseMap, Xattr, padding};
use rustix::fs::Stat;

use super::Packer;
use crate::error::TreeError;
use crate::notes::LeftOut;
use crate::xattrs;

/// How much of a file is read at once.
pub(super) const CHUNK: usize = 64 << 10;

/// The most runs of bytes that are told apart in a file, which takes 2 MiB of memory at most.
const MOST_RUNS: usize = 1 << 17;

/// How much is copied of a file that is longer than it says: the kernel writes those of /proc as they are read. A tar tells the size first,
/// so that much waits in memory.
pub(super) const MOST_UNTOLD: usize = 16 << 20;

/// What `st_blocks` counts in.
const SECTOR: u64 = 512;

/// Whether the file had all the bytes that its header promises.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Had {
    All,
    Less,
}

impl<W: Write> Packer<'_, W> {
    /// Writes a file.
    pub(super) fn file(&mut self, file: File, path: &[u8]) -> Result<(), TreeError> {
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.resize(CHUNK, 0);
        let written = self.file_by(file, &mut chunk, path);
        self.chunk = chunk;
        written
    }

    fn file_by(&mut self, mut file: File, chunk: &mut [u8], path: &[u8]) -> Result<(), TreeError> {
        let before = rustix::fs::fstat(&file).map_err(|errno| self.failed("look at", path, errno))?;
        let xattrs = xattrs::of_handle(file.as_fd()).map_err(|error| self.failed("read", path, error))?;
        let size = u64::try_from(before.st_size).unwrap_or_default();
        self.remember_link(&before, path);
        let runs = if size > CHUNK as u64 { self.runs(&file, &before, size, path)? } else { None };
        let had = if let Some(runs) = runs {
            let map = SparseMap::new(&runs, size);
            self.entry(path, &before, Kind::File, FileContent::Sparse(&map), xattrs)?;
            self.write(map.text())?;
            let mut had = Had::All;
            for Range { start, end } in runs {
                file.seek(SeekFrom::Start(start)).map_err(|error| self.failed("read", path, error))?;
                if self.content(&mut file, end - start, chunk, path)? == Had::Less {
                    had = Had::Less;
                }
            }
            self.write(padding(map.stored()))?;
            had
        } else {
            // The size of a small file is what it has. So it is for those of /proc and /sys, which say 0 or a page.
            let first = fill(&mut file, chunk).map_err(|error| self.failed("read", path, error))?;
            if first == CHUNK && size < CHUNK as u64 {
                self.untold(&mut file, chunk, &before, xattrs, path)?;
                Had::All
            } else {
                let size = if first < CHUNK { first as u64 } else { size };
                self.entry(path, &before, Kind::File, FileContent::Whole(size), xattrs)?;
                self.write(&chunk[..first])?;
                let had = self.content(&mut file, size - first as u64, chunk, path)?;
                self.write(padding(size))?;
                had
            }
        };
        let after = rustix::fs::fstat(&file).map_err(|errno| self.failed("look at", path, errno))?;
        if had == Had::Less || !is_same_state(&before, &after) {
            self.note(path, LeftOut::OneMoment);
        }
        Ok(())
    }

    /// Writes a file that is longer than it says, of which this is the beginning.
    fn untold(
        &mut self,
        file: &mut File,
        first: &[u8],
        stat: &Stat,
        xattrs: Vec<Xattr>,
        path: &[u8],
    ) -> Result<(), TreeError> {
        let mut whole = first.to_vec();
        // One byte more shows whether that is all.
        let most = (MOST_UNTOLD + 1).saturating_sub(first.len()) as u64;
        file.take(most).read_to_end(&mut whole).map_err(|error| self.failed("read", path, error))?;
        if whole.len() > MOST_UNTOLD {
            whole.truncate(MOST_UNTOLD);
            self.note(path, LeftOut::End);
        }
        let size = whole.len() as u64;
        self.entry(path, stat, Kind::File, FileContent::Whole(size), xattrs)?;
        self.write(&whole)?;
        self.write(padding(size))
    }

    /// The runs of bytes in a file with holes; `None` for one that has none, and where the file system does not tell.
    fn runs(&self, file: &File, stat: &Stat, size: u64, path: &[u8]) -> Result<Option<Vec<Range<u64>>>, TreeError> {
        let stored = u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(SECTOR);
        if stored >= size {
            return Ok(None);
        }
        let runs = match holes::data(file, size, MOST_RUNS) {
            // Somebody writes to it, and the zeros of its holes are bytes as well.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
            runs => runs.map_err(|error| self.failed("read", path, error))?,
        };
        let is_whole = matches!(&*runs, [run] if *run == (0..size));
        // GNU tar looks for each run in the next record.
        let is_in_records = runs.iter().rev().skip(1).all(|run| (run.end - run.start).is_multiple_of(SECTOR));
        Ok(Some(runs).filter(|_| !is_whole && is_in_records))
    }

    /// Writes so many bytes of a file from where it stands, and zeros for those that it lacks.
    fn content(&mut self, file: &mut File, length: u64, chunk: &mut [u8], path: &[u8]) -> Result<Had, TreeError> {
        let mut left = length;
        while left > 0 {
            let most = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match file.read(&mut chunk[..most]) {
                Ok(0) => break,
                Ok(count) => {
                    self.write(&chunk[..count])?;
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("read", path, error)),
            }
        }
        if left == 0 {
            return Ok(Had::All);
        }
        io::copy(&mut io::repeat(0).take(left), &mut self.out).map_err(TreeError::Output)?;
        Ok(Had::Less)
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
