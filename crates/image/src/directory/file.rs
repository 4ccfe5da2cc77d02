//! A regular file's entry: the header, then exactly as many bytes as it says. Holes stay holes.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use nex_file::holes;
use nex_file::tree::is_same_state;
use nex_file::xattrs;
use nex_tar::{FileContent, Kind, SparseMap, padding};
use rustix::fs::Stat;

use super::Walk;
use crate::pipe::Stop;

/// The most runs of bytes that are told apart in a file, which take 64 MiB of memory at most. Who reads the tar takes one more.
const MOST_RUNS: usize = (1 << 20) - 1;

/// What `st_blocks` counts in.
const SECTOR: u64 = 512;

impl Walk<'_> {
    /// Writes a file. One that changes on the way would give a tar that nobody ever had on disk, so it is an error.
    pub(super) fn file(&mut self, handle: OwnedFd, path: &[u8]) -> Result<(), Stop> {
        let before = rustix::fs::fstat(&handle).map_err(|errno| self.stop("look at", path, errno))?;
        let xattrs =
            xattrs::of_handle(handle.as_fd()).map_err(|error| self.failed("read the xattrs of", path, error))?;
        let size = u64::try_from(before.st_size).map_err(|_| self.broken(path, "has a negative size"))?;
        let mut file = File::from(handle);
        let whole = 0..size;
        match self.runs(&file, &before, size, path)? {
            Some(runs) => {
                let map = SparseMap::new(&runs, size);
                self.entry(path, &before, Kind::File, FileContent::Sparse(&map), &xattrs)?;
                self.sink.write(map.text())?;
                self.content(&mut file, &runs, path)?;
                self.sink.write(padding(map.stored()))?;
            }
            None => {
                self.entry(path, &before, Kind::File, FileContent::Whole(size), &xattrs)?;
                self.content(&mut file, std::slice::from_ref(&whole), path)?;
                self.sink.write(padding(size))?;
            }
        }
        let after = rustix::fs::fstat(&file).map_err(|errno| self.stop("look at", path, errno))?;
        if is_same_state(&before, &after) { Ok(()) } else { Err(self.changed(path)) }
    }

    /// The runs of bytes in a file with holes; `None` for one that has none, and where the file system does not tell.
    fn runs(&self, file: &File, stat: &Stat, size: u64, path: &[u8]) -> Result<Option<Vec<Range<u64>>>, Stop> {
        let stored = u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(SECTOR);
        if stored >= size {
            return Ok(None);
        }
        let runs = holes::data(file, size, MOST_RUNS).map_err(|error| match error.kind() {
            std::io::ErrorKind::Interrupted => self.changed(path),
            _ => self.failed("look for holes in", path, error),
        })?;
        let is_whole = runs.len() == 1 && runs[0] == (0..size);
        Ok(Some(runs).filter(|_| !is_whole))
    }

    /// Writes runs of a file's bytes.
    fn content(&mut self, file: &mut File, runs: &[Range<u64>], path: &[u8]) -> Result<(), Stop> {
        for run in runs {
            file.seek(SeekFrom::Start(run.start)).map_err(|error| self.failed("read", path, error))?;
            let mut left = run.end - run.start;
            while left > 0 {
                let read = self.sink.read_from(file, left)?;
                match read.map_err(|error| self.failed("read", path, error))? {
                    0 => return Err(self.changed(path)),
                    read => left -= read as u64,
                }
            }
        }
        Ok(())
    }
}
