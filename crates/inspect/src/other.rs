//! What a file is that holds no ext4, and how to get at an ext4 file system.

use std::io;

use nex_file::kind::{self, FileKind, Format};

use crate::disk::Disk;

/// The least that holds a superblock.
const LEAST: u64 = 2048;

/// Says what a file without an ext4 superblock is.
pub(crate) fn what_it_is(disk: &Disk) -> io::Result<String> {
    if disk.length() < LEAST {
        return Ok(format!("it has {} bytes, too few for a file system", disk.length()));
    }
    let mut start = vec![0; kind::START];
    let length = disk.start(0, &mut start)?;
    start.truncate(length);
    Ok(match kind::of(&start) {
        Some(kind) => in_words(kind),
        None if start.iter().all(|&byte| byte == 0) => "it begins with zeros".into(),
        None => "no ext4 superblock stands at byte 1024".into(),
    })
}

fn in_words(kind: &FileKind) -> String {
    let remedy = match kind.format {
        Format::Tar => Some("make a root filesystem of it: nex rootfs --image tar:FILE".into()),
        Format::BootSector => Some("give the partition with the root filesystem alone".into()),
        _ => kind.remedy(),
    };
    format!("it is {}{}", kind.what, remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default())
}
