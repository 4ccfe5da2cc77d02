//! The kernel does not get its root filesystem.

use std::fs::{self, File};
use std::process::Command;

use nex_testkit::{Result, command, places};

use crate::world::{World, boot, fails, guest};

#[test]
#[ignore = "slow: boots a guest"]
fn a_root_of_another_name() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let words =
        ["no drive vdz", "it sees nvme0n1 (64 MiB)", "(no-root-device)", "root=/dev/nvme0n1", "(root-unmountable"];
    world.fails("root=/dev/vdz", &words)
}

#[test]
#[ignore = "slow: boots a guest"]
fn a_feature_that_the_kernel_does_not_know() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    world.debugfs("set_super_value feature_incompat 0x80002c2")?;
    world.fails("", &["does not come up with", "(ext4-feature)", "--no-check"])?;
    let words = ["0x8000000", "(unsupported-feature)", "boot a newer kernel"];
    fails(world.boot("").arg("--no-check"), &words)
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_image_that_was_cut_off() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    File::options().write(true).open(world.image())?.set_len(48 << 20)?;
    world.fails("", &["does not come up with", "(ext4-cut-off)", "--no-check"])?;
    fails(world.boot("").arg("--no-check"), &["16384 blocks, of which 12288 are there", "(image-cut-off)"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn a_sealed_image_and_a_kernel_without_device_mapper() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let table =
        "dm-mod.create=\"rootfs,,,ro,0 131072 verity 1 /dev/nvme0n1 /dev/nvme0n1 4096 4096 16384 16385 sha256 00 00\"";
    world.fails(&format!("{table} root=/dev/dm-0 ro"), &["has no dm-0", "(verity-unavailable)", "CONFIG_DM_INIT"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_initramfs_without_the_drives_modules() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let agent = command::run(&mut Command::new(places::workspace().join("scripts/build-agent")))?;
    let agent = fs::read(String::from_utf8_lossy(&agent).trim())?;
    let initrd = world.path("initrd");
    fs::write(&initrd, nex_kernel::initramfs::archive(&agent, &[]))?;
    let words = ["/dev/vda is not there after 10 s", "(no-root-device)", "CONFIG_VIRTIO_BLK"];
    fails(boot(&world.image()).arg("--initrd").arg(initrd), &words)
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_initramfs_that_cannot_be_unpacked() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let initrd = world.path("initrd");
    fs::write(&initrd, fs::read(guest("busybox"))?)?;
    let words = ["cannot unpack its initramfs", "(initramfs-broken)", "(no-root-device"];
    fails(world.boot("root=/dev/vda").arg("--initrd").arg(initrd), &words)
}
