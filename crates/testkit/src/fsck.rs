//! e2fsck as a judge: its exit code, its text, and whether it would change a byte.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::Command;

use crate::command;
use crate::e2fsck::E2fsck;
use crate::failure::Context;
use crate::{Failure, Result};

/// The lines of a check without complaints, up to the last, which counts files and blocks.
const PASSES: [&str; 5] = [
    "Pass 1: Checking inodes, blocks, and sizes",
    "Pass 2: Checking directory structure",
    "Pass 3: Checking directory connectivity",
    "Pass 4: Checking reference counts",
    "Pass 5: Checking group summary information",
];

/// A field of the primary superblock: its offset in the image and its length, in bytes.
struct Field {
    offset: u64,
    length: u64,
}

const SUPERBLOCK: u64 = 1024;
/// `s_wtime`: when the file system was written last.
const WRITE_TIME: Field = Field { offset: SUPERBLOCK + 0x30, length: 4 };
/// `s_lastcheck`: when e2fsck looked last.
const LAST_CHECK: Field = Field { offset: SUPERBLOCK + 0x40, length: 4 };
/// `s_checksum`, which covers the two above.
const CHECKSUM: Field = Field { offset: SUPERBLOCK + 0x3FC, length: 4 };
/// What a check that repairs nothing still writes.
const MAY_CHANGE: [Field; 3] = [WRITE_TIME, LAST_CHECK, CHECKSUM];

/// `e2fsck -fn` finds nothing: exit code 0, and not a line of text beside the five passes and the summary.
///
/// The text matters: e2fsck reports some damage ("Resize inode not valid. Recreate? no") with exit code 0.
///
/// # Errors
/// e2fsck's whole text, when there is more in it than there should be.
pub fn check(image: &Path) -> Result<()> {
    check_by(&E2fsck::installed(), image)
}

/// The same by another e2fsck than the installed one.
///
/// # Errors
/// As [`check`].
pub fn check_by(e2fsck: &E2fsck, image: &Path) -> Result<()> {
    let result = e2fsck.run(&["-fn"], image)?;
    let text = String::from_utf8_lossy(&result.stdout);
    if result.status.success() && is_silent(&text) {
        return Ok(());
    }
    let version = e2fsck.version()?;
    let complaint = format!("e2fsck {version} -fn {}: {}\n{text}", image.display(), result.status);
    Err(Failure::new(complaint + &String::from_utf8_lossy(&result.stderr)))
}

/// Whether the text holds the passes and the summary only.
fn is_silent(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    match lines.split_last() {
        Some((summary, passes)) => passes == PASSES && summary.contains(" files (") && summary.ends_with(" blocks"),
        None => false,
    }
}

/// `e2fsck -fy` on a copy finds nothing to repair: it changes the times of the check and their checksum, nothing else.
///
/// # Errors
/// e2fsck's text when its exit code is not 0, or the place of the first other byte that it changed.
pub fn repair_changes_nothing(image: &Path) -> Result<()> {
    repair_by(&E2fsck::installed(), image)
}

/// The same by another e2fsck than the installed one.
///
/// # Errors
/// As [`repair_changes_nothing`].
pub fn repair_by(e2fsck: &E2fsck, image: &Path) -> Result<()> {
    let copy = sparse_copy(image)?;
    let result = e2fsck.run(&["-fy"], &copy)?;
    let difference = first_difference(image, &copy)?;
    if result.status.success() && difference.is_none() {
        return Ok(());
    }
    let changed = difference.map_or_else(String::new, |place| {
        format!(", and changed {} at byte {place} (block {})", image.display(), place / 4096)
    });
    let text = String::from_utf8_lossy(&result.stdout);
    Err(Failure::new(format!("e2fsck {} -fy: {}{changed}\n{text}", e2fsck.version()?, result.status)))
}

/// Both checks, by each e2fsck there is.
///
/// # Errors
/// As [`check`] and [`repair_changes_nothing`].
pub fn judge(image: &Path) -> Result<()> {
    E2fsck::all()?.iter().try_for_each(|e2fsck| {
        check_by(e2fsck, image)?;
        repair_by(e2fsck, image)
    })
}

/// A copy that keeps the holes, beside the image, deleted when dropped.
///
/// # Errors
/// When there is no room, or the directory cannot be written.
pub fn sparse_copy(image: &Path) -> Result<tempfile::TempPath> {
    let directory = image.parent().unwrap_or(Path::new("."));
    let copy = tempfile::Builder::new().prefix("copy-").tempfile_in(directory)?.into_temp_path();
    command::run(Command::new("cp").args(["--sparse=always", "--reflink=auto"]).arg(image).arg(&copy))?;
    Ok(copy)
}

/// The first byte where two images differ, the fields that a check may write left out.
fn first_difference(a: &Path, b: &Path) -> Result<Option<u64>> {
    if fs::metadata(a)?.len() != fs::metadata(b)?.len() {
        return Err(Failure::new("e2fsck changed the length of the image"));
    }
    let mut a = BufReader::with_capacity(1 << 20, File::open(a).context(a.display())?);
    let mut b = BufReader::with_capacity(1 << 20, File::open(b).context(b.display())?);
    let (mut ours, mut theirs) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut start = 0;
    loop {
        let length = read_full(&mut a, &mut ours)?;
        if read_full(&mut b, &mut theirs)? != length {
            return Err(Failure::new("the copy changed while it was compared"));
        }
        if length == 0 {
            return Ok(None);
        }
        if ours[..length] != theirs[..length] {
            let places = (start..).zip(ours[..length].iter().zip(&theirs[..length]));
            let differing = places.filter(|(_, (x, y))| x != y).map(|(place, _)| place);
            if let Some(place) = differing.into_iter().find(|place| !may_change(*place)) {
                return Ok(Some(place));
            }
        }
        start += length as u64;
    }
}

fn may_change(place: u64) -> bool {
    MAY_CHANGE.iter().any(|field| (field.offset..field.offset + field.length).contains(&place))
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
