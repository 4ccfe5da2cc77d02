//! The kernel grows mounted images in a guest, uses what they have gained, and leaves them clean.

use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::Context;
use crate::guest::Guest;
use crate::{Failure, Result, command, fsck, kernel_log};

/// The block size of every image that nex writes, in bytes.
const BLOCK: u64 = 4096;
/// Blocks of a full group, for this block size.
const GROUP: u64 = 32_768;
const SCRIPT: &str = include_str!("online_growth.sh");
const TIME_LIMIT: Duration = Duration::from_secs(400);

/// How much of the grown file system the guest uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Some files in new directories.
    Files,
    /// Every block.
    Blocks,
    /// Every inode, and then every block.
    InodesAndBlocks,
}

/// An image, and what the kernel shall do with it.
#[derive(Clone, Debug)]
pub struct Growth {
    /// The image, which the kernel changes.
    pub image: PathBuf,
    /// The sizes to which it grows, one after the other, in bytes.
    pub sizes: Vec<u64>,
    /// What is done then.
    pub fill: Fill,
}

/// Grows all these images in one guest. Each keeps its names and files and has its new size, new inodes in the same ratio,
/// and nothing for e2fsck to find; and the guest's kernel has nothing to complain of.
///
/// # Errors
/// When any of that is not so.
pub fn judge(growths: &[Growth]) -> Result<()> {
    let Some(console) = grow(growths)? else { return Ok(()) };
    let faults = kernel_log::faults(&console);
    if !faults.is_empty() {
        return Err(Failure::new(format!("the guest's log: {}", faults.join("\n"))));
    }
    growths.iter().try_for_each(|growth| {
        let size = growth.sizes.last().copied().unwrap_or_default();
        fsck::check(&growth.image)?;
        Counts::read(&growth.image)?.judge(size).context(growth.image.display())
    })
}

/// Lets the kernel of a guest grow the images, and gives what it wrote to its console; `None` where there is no guest.
///
/// # Errors
/// When the kernel refuses, or a file is not as it was; the text holds the script's output and the console.
pub fn grow(growths: &[Growth]) -> Result<Option<String>> {
    let mut script = SCRIPT.to_owned();
    let mut guest_drives = Vec::new();
    for (letter, growth) in ('a'..='z').zip(growths) {
        let fill = match growth.fill {
            Fill::Files => "files",
            Fill::Blocks => "blocks",
            Fill::InodesAndBlocks => "inodes",
        };
        write!(script, "growth vd{letter} {fill}")?;
        growth.sizes.iter().try_for_each(|size| write!(script, " {}", size / BLOCK))?;
        script.push('\n');
        let largest = growth.sizes.iter().max().copied().unwrap_or_default();
        File::options().write(true).open(&growth.image).context(growth.image.display())?.set_len(largest)?;
        guest_drives.push(&growth.image);
    }
    let guest = Guest::new(script).programs(&["resize2fs"]).time_limit(TIME_LIMIT);
    let guest = guest_drives.into_iter().fold(guest, |guest, drive| guest.drive(drive));
    let Some(finished) = guest.run()? else { return Ok(None) };
    let console = finished.console.clone();
    finished.success()?;
    Ok(Some(console))
}

/// What the superblock says of the size.
struct Counts {
    blocks: u64,
    inodes: u64,
    inodes_per_group: u64,
}

impl Counts {
    fn read(image: &Path) -> Result<Self> {
        let shown = command::run(Command::new("dumpe2fs").arg("-h").arg(image).env("LC_ALL", "C"))?;
        let shown = String::from_utf8_lossy(&shown);
        let field = |name: &str| {
            let value = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.unwrap_or_default().trim().parse::<u64>().context(name)
        };
        Ok(Self {
            blocks: field("Block count")?,
            inodes: field("Inode count")?,
            inodes_per_group: field("Inodes per group")?,
        })
    }

    /// The size is the wanted one, and each group has the inodes that groups had before.
    fn judge(&self, size: u64) -> Result<()> {
        let groups = self.blocks.div_ceil(GROUP);
        if self.blocks != size / BLOCK {
            return Err(Failure::new(format!("{} blocks and not {}", self.blocks, size / BLOCK)));
        }
        if self.inodes != groups * self.inodes_per_group {
            return Err(Failure::new(format!("{} inodes in {groups} groups", self.inodes)));
        }
        Ok(())
    }
}
