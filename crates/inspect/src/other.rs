//! What a file is that holds no ext4, and how to get at an ext4 file system.

use std::io;

use nex_fault::{Remedy, Setting};
use nex_file::kind::{self, FileKind, Format};

use crate::disk::Disk;
use crate::error::RootFsError;

/// The least that holds a superblock.
const LEAST: u64 = 2048;

/// Says what a file without an ext4 superblock is.
pub(crate) fn refusal(disk: &Disk) -> io::Result<RootFsError> {
    let plain = |what: String| RootFsError::NotExt4 { what, remedy: None };
    if disk.length() < LEAST {
        return Ok(plain(format!("it has {} bytes, too few for a file system", disk.length())));
    }
    let mut start = vec![0; kind::START];
    let length = disk.start(0, &mut start)?;
    start.truncate(length);
    Ok(match kind::of(&start) {
        Some(kind) => of_kind(kind),
        None if start.iter().all(|&byte| byte == 0) => plain("it begins with zeros".into()),
        None => plain("no ext4 superblock stands at byte 1024".into()),
    })
}

fn of_kind(kind: &FileKind) -> RootFsError {
    let remedy = match kind.format {
        Format::Tar => Some(Remedy::say("make a root filesystem of it: nex rootfs").set(Setting::Image, "tar:FILE")),
        Format::BootSector => Some(Remedy::say("give the partition with the root filesystem alone")),
        _ => kind.remedy().map(Remedy::say),
    };
    RootFsError::NotExt4 { what: format!("it is {}", kind.what), remedy }
}
