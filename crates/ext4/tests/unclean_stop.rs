//! Writing stops in the middle: what was synced before is there after a replay, and the file system is clean.

mod support;

use std::fs::File;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use nex_ext4::{Layout, Size, Tree};
use nex_testkit::guest::Guest;
use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::unclean_stop::{self, FIND, GO_ON, KEEP, Moment};
use nex_testkit::{Result, fsck, kernel_log};
use support::{Builder, GIB, Image, MIB, debugfs, pattern};

/// An image with files of its own. In one that is just larger than a group, the journal crosses the first backup.
fn image(size: u64) -> Image {
    let mut builder = Builder::new(&Layout { size_limit: Some(size), ..Layout::default() });
    let directory = builder.add_directory(Tree::ROOT, "directory");
    (0..300).for_each(|i| _ = builder.add_file(directory, format!("file {i}"), &pattern(i, i as usize * 37)));
    if size == 150 * MIB {
        // Content without a name is free space in the end.
        builder.place(&vec![0; 120 << 20]);
    }
    let image = builder.finish(Size::Exact(size));
    if size == 150 * MIB {
        let extents = debugfs(&image.path(), "stat <8>");
        assert!(extents.contains(", ("), "the journal is in one piece: {extents}");
    }
    image
}

#[test]
#[ignore = "slow: many mounts"]
fn a_stop_on_this_machine_loses_nothing_that_was_synced() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    for size in [32 * MIB, 64 * MIB, 150 * MIB, 333 * MIB, GIB, 2 * GIB + 4096, 80 * GIB] {
        for moment in [Moment::Unsynced, Moment::InTheMiddle] {
            eprintln!("{size} bytes, {moment:?}");
            unclean_stop::judge(&unclean_stop::stop(&image(size).path(), moment)?)?;
        }
    }
    Ok(())
}

#[test]
fn a_loss_and_a_clean_stop_are_objections() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let image = image(32 * MIB);
    let mount = Mount::new(&image.path(), Access::ReadWrite)?;
    mount.run(KEEP)?;
    mount.run("echo lost >kept/7; sync -f .")?;
    let copy = fsck::sparse_copy(&image.path())?;
    mount.unmount()?;
    let objection = |image: &Path| unclean_stop::judge(image).unwrap_err().to_string();
    assert!(objection(&copy).contains("kept/7 has other content"));
    assert!(objection(&image.path()).contains("e2fsck -fy after the stop"));
    Ok(())
}

/// Commits one transaction after the other, beside what goes on without any.
const COMMIT: &str = "while :; do dd if=/dev/zero of=committed bs=8k count=1 conv=fsync 2>/dev/null; done";

const DRIVES: [&str; 3] = ["vda", "vdb", "vdc"];

/// What a guest does with three drives until its power is cut; the third grows before.
fn writes_on_three_drives() -> String {
    let begin = DRIVES.map(|drive| format!("mkdir /{drive}; mount -t ext4 /dev/{drive} /{drive}\n")).concat();
    let keep = DRIVES.map(|drive| format!("cd /{drive}; {KEEP}\n")).concat();
    let go_on = DRIVES.map(|drive| format!("cd /{drive}; (\n{GO_ON}) & ({COMMIT}) &\n")).concat();
    format!("set -e\n{begin}resize2fs /dev/vdc\n{keep}echo kept\n{go_on}wait\n")
}

#[test]
#[ignore = "slow: a guest whose power is cut"]
fn a_power_cut_loses_nothing_that_was_synced() -> Result<()> {
    for milliseconds in [100, 1500] {
        let images = [32 * MIB, 150 * MIB, GIB].map(image);
        File::options().write(true).open(images[2].path())?.set_len(20 * GIB)?;
        let guest = Guest::new(writes_on_three_drives()).programs(&["resize2fs"]);
        let guest = images.iter().fold(guest, |guest, image| guest.drive(image.path()));
        let Some(mut running) = guest.start()? else { return Ok(()) };
        running.wait_for_line("kept")?;
        sleep(Duration::from_millis(milliseconds));
        running.cut_power()?;
        images.iter().try_for_each(|image| unclean_stop::judge(&image.path()))?;
        boots_again(&images)?;
    }
    Ok(())
}

/// A guest that is started again replays the journals, finds what was synced, and leaves clean file systems.
fn boots_again(images: &[Image; 3]) -> Result<()> {
    let replay =
        DRIVES.map(|drive| format!("mkdir /{drive}; mount -t ext4 /dev/{drive} /{drive}; cd /{drive}; {FIND}\n"));
    let end = DRIVES.map(|drive| format!("umount /{drive}\n"));
    let guest = Guest::new(format!("set -e\n{}cd /\n{}", replay.concat(), end.concat()));
    let guest = images.iter().fold(guest, |guest, image| guest.drive(image.path()));
    let Some(finished) = guest.run()? else { return Ok(()) };
    let console = finished.console.clone();
    finished.success()?;
    assert_eq!(console.matches("recovery complete").count(), DRIVES.len(), "{console}");
    assert_eq!(kernel_log::faults(&console), [""; 0]);
    images.iter().try_for_each(|image| fsck::check(&image.path()))
}
