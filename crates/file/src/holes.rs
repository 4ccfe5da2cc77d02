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
/// What the system says, and [`io::ErrorKind::Interrupted`] when the file changes meanwhile.
pub fn data(file: &File, length: u64, most: usize) -> io::Result<Vec<Range<u64>>> {
    let mut data = Vec::new();
    for run in runs(file, 0..length) {
        let run = run?;
        if data.len() + 1 >= most {
            data.push(run.start..length);
            break;
        }
        data.push(run);
    }
    Ok(data)
}

/// The runs of bytes that are no holes in a range of a file, in order. Each is looked for when it is asked for, and a failure is the
/// last: what the system says, or [`io::ErrorKind::Interrupted`] when the file changes meanwhile.
pub fn runs(file: &File, range: Range<u64>) -> impl Iterator<Item = io::Result<Range<u64>>> {
    let Range { start: mut position, end } = range;
    std::iter::from_fn(move || {
        let run = next_run(file, position, end).transpose()?;
        position = run.as_ref().map_or(end, |run| run.end);
        Some(run)
    })
}

fn next_run(file: &File, position: u64, end: u64) -> io::Result<Option<Range<u64>>> {
    let start = next_data(file, position, end)?;
    if start >= end {
        return Ok(None);
    }
    match next_hole(file, start, end)? {
        hole if hole > start => Ok(Some(start..hole)),
        // The file has changed between the two questions.
        _ => Err(io::ErrorKind::Interrupted.into()),
    }
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
        let in_range: io::Result<Vec<_>> = super::runs(&file, 1 << 20..LENGTH - 1).collect();
        let last = runs[2].start..LENGTH - 1;
        assert_eq!(
            in_range.expect("asked"),
            [runs[1].clone(), last].into_iter().filter(|run| !run.is_empty()).collect::<Vec<_>>()
        );
    }
}
