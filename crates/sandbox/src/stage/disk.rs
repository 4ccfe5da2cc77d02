//! What scripts leave free of the file system that their tree is on.

use std::ops::RangeInclusive;
use std::os::fd::BorrowedFd;

use rustix::fs::StatVfs;

use super::doing;
use crate::failure::Failure;
use crate::protocol::Limit;

/// The part of a file system that scripts leave free, and its bounds in bytes.
const RESERVE_PART: u64 = 50;
const RESERVE: RangeInclusive<u64> = (16 << 20)..=(1 << 30);

/// The same for files, in numbers.
const RESERVE_FILES: RangeInclusive<u64> = 256..=65_536;

/// What is nearly used up.
pub fn limit(place: BorrowedFd) -> Result<Option<Limit>, Failure> {
    let disk = rustix::fs::fstatvfs(place).map_err(doing("looking at the work directory's disk"))?;
    let reserve = reserve(&disk);
    if left(&disk) < reserve {
        return Ok(Some(Limit::Disk(reserve)));
    }
    // File systems that make room for files as they come say that they have none.
    let files = (disk.f_files / RESERVE_PART).clamp(*RESERVE_FILES.start(), *RESERVE_FILES.end());
    Ok((disk.f_files > 0 && disk.f_favail < files).then_some(Limit::Files(files)))
}

/// Whether so many bytes may be taken of a file's file system.
pub fn has_room(file: BorrowedFd, bytes: u64) -> rustix::io::Result<bool> {
    let disk = rustix::fs::fstatvfs(file)?;
    Ok(left(&disk) >= reserve(&disk).saturating_add(bytes))
}

fn left(disk: &StatVfs) -> u64 {
    disk.f_bavail.saturating_mul(disk.f_frsize)
}

fn reserve(disk: &StatVfs) -> u64 {
    (disk.f_blocks.saturating_mul(disk.f_frsize) / RESERVE_PART).clamp(*RESERVE.start(), *RESERVE.end())
}
