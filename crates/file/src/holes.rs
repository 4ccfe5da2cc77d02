//! Where the holes of a sparse file are.

use std::fs::File;
use std::io;
use std::ops::Range;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// The runs of bytes that are no holes in the first `length` bytes of a file, in order. Past `most` runs, what follows is taken
/// for one.
///
/// # Errors
/// What the system says.
pub fn data(file: &File, length: u64, most: usize) -> io::Result<Vec<Range<u64>>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut start = next_data(file, 0, length)?;
    while start < length {
        let end = if runs.len() + 1 < most { next_hole(file, start, length)? } else { length };
        if end <= start {
            // The file has changed between the two questions.
            return Err(io::ErrorKind::Interrupted.into());
        }
        runs.push(start..end);
        start = next_data(file, end, length)?;
    }
    Ok(runs)
}

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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn data_stands_between_holes() {
        const LENGTH: u64 = 10 << 20;
        let file = tempfile::tempfile().expect("a file");
        file.set_len(LENGTH).expect("holes");
        assert_eq!(data(&file, LENGTH, 100).expect("asked"), []);
        for place in [0, 1 << 20, LENGTH - 1] {
            file.write_all_at(b"x", place).expect("written");
        }
        let runs = data(&file, LENGTH, 100).expect("asked");
        if runs.first() == Some(&(0..LENGTH)) {
            eprintln!("left out: this file system knows no holes");
            return;
        }
        assert_eq!(runs.len(), 3, "{runs:?}");
        assert!(runs[0].start == 0 && runs[1].contains(&(1 << 20)) && runs[2].end == LENGTH, "{runs:?}");
        let few = data(&file, LENGTH, 2).expect("asked");
        assert_eq!(few, [runs[0].clone(), runs[1].start..LENGTH]);
        assert_eq!(data(&file, 5, 100).expect("asked").first(), Some(&(0..5)));
    }
}
