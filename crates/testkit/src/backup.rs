//! The backups of superblock and group descriptors, which no check looks at until they are needed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use crate::command;
use crate::fsck;
use crate::image_tree;
use crate::manifest::{self, Manifest};
use crate::{Failure, Result};

/// The block size of every image that nex writes, in bytes.
const BLOCK: u64 = 4096;
/// Blocks of a full group, for this block size.
const GROUP: u64 = 32_768;
/// e2fsck's exit codes that say the file system is in order now.
const REPAIRED: [i32; 2] = [0, 1];

/// Zeroes the first `lost` blocks of a copy, lets `e2fsck -b` restore it from the backup in group `group`, and finds the
/// same tree in it as before.
///
/// `lost` should cover the superblock, the descriptors and the blocks reserved for their growth.
///
/// # Errors
/// When e2fsck cannot restore it, still complains afterwards, or the tree differs.
pub fn restores(image: &Path, group: u64, lost: u64, expected: &Manifest) -> Result<()> {
    let copy = fsck::sparse_copy(image)?;
    let zeroes = vec![0; usize::try_from(lost * BLOCK)?];
    File::options().write(true).open(&copy)?.write_all_at(&zeroes, 0)?;
    let block = (group * GROUP).to_string();
    let size = BLOCK.to_string();
    let result = command::output(Command::new("e2fsck").args(["-fy", "-b", &block, "-B", &size]).arg(&copy))?;
    if !result.status.code().is_some_and(|code| REPAIRED.contains(&code)) {
        let text = String::from_utf8_lossy(&result.stdout).into_owned();
        return Err(Failure::new(format!("e2fsck -b {block}: {}\n{text}", result.status)));
    }
    fsck::check(&copy)?;
    manifest::equal(expected, &image_tree::read(&copy)?)
}
