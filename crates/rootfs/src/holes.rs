//! Where the holes of a sparse file are.

use std::fs::File;
use std::io;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// Where the next data begins, `end` at the latest; file systems that know no holes call everything data.
///
/// # Errors
/// What the system says.
pub fn next_data(file: &File, position: u64, end: u64) -> io::Result<u64> {
    match rustix::fs::seek(file, SeekFrom::Data(position)) {
        Ok(data) => Ok(data.min(end)),
        Err(Errno::NXIO) => Ok(end),
        Err(Errno::INVAL) => Ok(position),
        Err(error) => Err(error.into()),
    }
}

/// Where the data at `position` ends, `end` at the latest.
///
/// # Errors
/// What the system says.
pub fn next_hole(file: &File, position: u64, end: u64) -> io::Result<u64> {
    if position >= end {
        return Ok(position);
    }
    match rustix::fs::seek(file, SeekFrom::Hole(position)) {
        Ok(hole) => Ok(hole.min(end)),
        Err(Errno::INVAL) => Ok(end),
        Err(error) => Err(error.into()),
    }
}
