//! The drive or the file system on it is damaged.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use nex_testkit::{Failure, Result};

use crate::consoles::qemu;
use crate::world::{World, explain};

const BLOCK: u64 = 4096;

/// The first block of a file or directory.
fn first_block(world: &World, path: &str) -> Result<u64> {
    let blocks = world.debugfs(&format!("blocks {path}"))?;
    let first = blocks.split_whitespace().next().and_then(|block| block.parse().ok());
    first.ok_or_else(|| Failure::new(format!("debugfs shows no block of {path}: {blocks}")))
}

#[test]
#[ignore = "slow: boots a guest"]
fn a_directory_that_was_overwritten() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let place = first_block(&world, "/faults")? * BLOCK;
    File::options().write(true).open(world.image())?.write_all_at(&[0x5a; 200], place + 40)?;
    world.fails("init=/faults/crashes", &["met damage in the file system on nvme0n1", "(image-damaged)", "e2fsck -f"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn a_drive_that_fails_to_read() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let sector = first_block(&world, "/bin/busybox")? * (BLOCK / 512);
    let rule = format!("[inject-error]\nevent = \"read_aio\"\nerrno = \"5\"\nsector = \"{sector}\"\nonce = \"off\"\n");
    fs::write(world.path("faults"), rule)?;
    let drive = format!("blkdebug:{}:{}", world.path("faults").display(), world.image().display());
    qemu(&world, &drive, "console=ttyS0 panic=-1 root=/dev/nvme0n1 ro init=/bin/busybox")?;
    let said = explain(&world.path("console"), &[])?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("the drive nvme0n1 cannot be read at sector") && said.contains("(io-error)"), "{said}");
    Ok(())
}
