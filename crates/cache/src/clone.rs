//! From one file into another without looking at the bytes: shared blocks where the file system has them, else copied
//! inside the kernel, else read and written. Holes stay holes.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use nex_file::holes;
use rustix::io::Errno;

use crate::share::share;

/// How much is copied at once: not more than a processor's cache.
const BUFFER: usize = 256 << 10;

/// How the bytes went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Both files share the blocks.
    Shared,
    /// They were copied.
    Copied,
}

/// Puts the bytes of `source` in `range` into `target`, from `offset` on, where `target` has a hole. Offsets and lengths
/// should be whole blocks of 4 KiB: only such can be shared.
///
/// # Errors
/// When the source ends before, or one of the files fails.
pub fn clone_range(source: &File, range: Range<u64>, target: &File, offset: u64) -> io::Result<Means> {
    let length = range.end.saturating_sub(range.start);
    if length == 0 {
        return Ok(Means::Copied);
    }
    if source.metadata()?.len() < range.end {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if share(source, range.start, length, target, offset).is_ok() {
        return Ok(Means::Shared);
    }
    let mut buffer = Vec::new();
    for run in holes::runs(source, range.clone()) {
        let run = run?;
        let place = offset + (run.start - range.start);
        copy(source, run, target, place, &mut buffer)?;
    }
    if target.metadata()?.len() < offset + length {
        target.set_len(offset + length)?;
    }
    Ok(Means::Copied)
}

fn copy(source: &File, range: Range<u64>, target: &File, offset: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    let Range { start: mut from, end } = range;
    let mut to = offset;
    while from < end {
        let (mut read_at, mut write_at) = (from, to);
        let wanted = usize::try_from(end - from).unwrap_or(usize::MAX >> 1);
        let count = match rustix::fs::copy_file_range(source, Some(&mut read_at), target, Some(&mut write_at), wanted) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count as u64,
            Err(Errno::INTR) => 0,
            // File systems refuse in all these ways.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM | Errno::BADF) => {
                return read_and_write(source, from..end, target, to, buffer);
            }
            Err(error) => return Err(error.into()),
        };
        from += count;
        to += count;
    }
    Ok(())
}

fn read_and_write(
    source: &File,
    range: Range<u64>,
    target: &File,
    offset: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    buffer.resize(BUFFER, 0);
    let mut done = 0;
    while done < range.end - range.start {
        let part =
            &mut buffer[..usize::try_from(range.end - range.start - done).map_or(BUFFER, |left| left.min(BUFFER))];
        source.read_exact_at(part, range.start + done)?;
        target.write_all_at(part, offset + done)?;
        done += part.len() as u64;
    }
    Ok(())
}
