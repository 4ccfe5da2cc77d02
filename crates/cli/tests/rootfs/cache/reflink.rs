//! File systems whose files share blocks: a layer of the cache takes no room of its own in an image.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::{Result, command, nex, places};
use serde_json::Value;

use super::mounted::Mounted;
use super::world::{World, cached};

const MIB: u64 = 1 << 20;

#[test]
fn on_xfs_and_btrfs_the_image_shares_the_blocks_of_the_cache() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: mounting a file system for the cache is root's");
        return Ok(());
    }
    shares("xfs", &["-q", "-m", "reflink=1"])?;
    shares("btrfs", &["-q"])
}

/// Builds with the cache and without it in a new file system of this kind, and looks at whose blocks the image has.
fn shares(kind: &str, options: &[&str]) -> Result<()> {
    if !fs::read_to_string("/proc/filesystems")?.lines().any(|line| line.trim() == kind) {
        eprintln!("LEFT OUT: this kernel does not mount {kind}");
        return Ok(());
    }
    let directory = nex::directory()?;
    let (disk, place) = (directory.path().join("disk"), directory.path().join("place"));
    File::create(&disk)?.set_len(512 * MIB)?;
    command::run(Command::new(format!("mkfs.{kind}")).args(options).arg(&disk))?;
    fs::create_dir(&place)?;
    let _mounted = Mounted::image(&place, &disk)?;

    let world = World::within(&place)?;
    let content: Vec<u8> = (0..2 * MIB as u32).flat_map(u32::to_le_bytes).collect();
    let image = world.image("layout", &Image::of(&[vec![Entry::file("large", content)]])?)?;
    let build = |output: &str, flags: &[&str]| -> Result<Value> {
        Ok(serde_json::from_slice(&command::run(world.command(&image, output)?.args(flags))?)?)
    };
    build("cold.ext4", &["--no-cache"])?;
    build("filling.ext4", &[])?;
    assert_eq!(cached(&build("warm.ext4", &[])?), [true]);
    assert!(fs::read(world.path("warm.ext4"))? == fs::read(world.path("cold.ext4"))?, "{kind}");
    assert!(shared(&world.path("warm.ext4"))? >= 8 * MIB, "{kind}");
    assert_eq!(shared(&world.path("cold.ext4"))?, 0, "{kind}");
    Ok(())
}

/// How many bytes of a file's blocks belong to other files too, as the file system says.
fn shared(file: &Path) -> Result<u64> {
    command::run(Command::new("sync").arg("-f").arg(file))?;
    let map = command::run(Command::new("filefrag").args(["-v", "-b4096"]).arg(file))?;
    let blocks = |line: &str| line.split(':').nth(3).and_then(|length| length.trim().parse::<u64>().ok());
    let map = String::from_utf8_lossy(&map);
    Ok(map.lines().filter(|line| line.contains("shared")).filter_map(blocks).sum::<u64>() * 4096)
}
