//! Each judge accepts what another maker made, and objects to damage.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nex_testkit::e2fsck::E2fsck;
use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::manifest::{self, Manifest, whole_seconds};
use nex_testkit::{Failure, Result, backup, command, fsck, host_tree, image_tree, kernel_log, places};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, makedev, mknodat};
use tempfile::TempDir;

/// How often two mounts are made at once, for one to take the loop device that the other just had.
const ROUNDS: u32 = 100;

/// A directory with one of everything, and the image that `mke2fs -d` makes of it.
struct Sample {
    directory: TempDir,
}

impl Sample {
    fn new() -> Result<Self> {
        let sample = Self { directory: tempfile::tempdir()? };
        let tree = sample.tree();
        fs::create_dir_all(tree.join("deep/er"))?;
        fs::write(tree.join("plain"), "text")?;
        fs::write(tree.join("deep/er/large"), vec![7; 3_000_000])?;
        fs::write(tree.join("two\nlines \"quoted\" \\"), "odd name")?;
        fs::hard_link(tree.join("plain"), tree.join("deep/second name"))?;
        symlink("../plain", tree.join("deep/short"))?;
        symlink("x/".repeat(500), tree.join("deep/long"))?;
        lsetxattr(tree.join("plain"), "user.short", b"\x00\x01value", XattrFlags::empty())?;
        lsetxattr(tree.join("deep"), "user.long", &[b'v'; 2000], XattrFlags::empty())?;
        if places::is_root() {
            mknodat(CWD, tree.join("device"), FileType::CharacterDevice, Mode::RUSR, makedev(300, 70_000))?;
            command::run(Command::new("setfacl").args(["-m", "u:1234:rw"]).arg(tree.join("deep")))?;
            command::run(Command::new("chown").args(["100000:70000", "plain"]).current_dir(&tree))?;
        }
        fs::set_permissions(tree.join("plain"), fs::Permissions::from_mode(0o4751))?;
        sample.make_image()?;
        Ok(sample)
    }

    fn tree(&self) -> PathBuf {
        self.directory.path().join("tree")
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image.ext4")
    }

    fn make_image(&self) -> Result<()> {
        let mut mke2fs = Command::new("mke2fs");
        mke2fs.args(["-q", "-F", "-t", "ext4", "-b", "4096", "-d"]).arg(self.tree());
        command::run(mke2fs.arg(self.image()).arg("300M"))?;
        // Where mke2fs has begun to count what was written, e2fsck goes on counting.
        self.debugfs("set_super_value kbytes_written 0")
    }

    fn damage(&self, place: u64, bytes: &[u8]) -> Result<()> {
        Ok(File::options().write(true).open(self.image())?.write_all_at(bytes, place)?)
    }

    /// The tree that a judge found is the directory's, but for what mke2fs does not keep.
    fn equals(&self, mut found: Manifest) -> Result<()> {
        let mut expected = whole_seconds(host_tree::read(&self.tree())?);
        for tree in [&mut expected, &mut found] {
            tree.entry(Vec::new()).and_modify(|root| root.modified = (0, 0));
        }
        manifest::equal(&expected, &found)
    }

    /// The number that debugfs answers.
    fn number_from(&self, request: &str) -> Result<u64> {
        let answer = command::run(Command::new("debugfs").args(["-R", request]).arg(self.image()))?;
        Ok(String::from_utf8_lossy(&answer).trim().parse()?)
    }

    fn debugfs(&self, request: &str) -> Result<()> {
        command::run(Command::new("debugfs").args(["-w", "-R", request]).arg(self.image())).map(drop)
    }
}

fn objection(verdict: Result<()>) -> String {
    verdict.expect_err("the judge must object").to_string()
}

#[test]
fn e2fsck_accepts_an_image_of_mke2fs() -> Result<()> {
    fsck::judge(&Sample::new()?.image())
}

#[test]
fn e2fsck_objects_to_a_flipped_byte_in_an_inode() -> Result<()> {
    let sample = Sample::new()?;
    sample.debugfs("set_inode_field /plain checksum 0x1234")?;
    assert!(objection(fsck::check(&sample.image())).contains("Inode 1"));
    Ok(())
}

#[test]
fn each_generation_of_e2fsck_objects() -> Result<()> {
    let all = E2fsck::all()?;
    let sample = Sample::new()?;
    sample.debugfs("set_inode_field /plain checksum 0x1234")?;
    for e2fsck in &all {
        let text = objection(fsck::check_by(e2fsck, &sample.image()));
        assert!(text.contains(&e2fsck.version()?) && text.contains("Inode 1"), "{text}");
        let text = objection(fsck::repair_by(e2fsck, &sample.image()));
        assert!(text.contains(&e2fsck.version()?) && text.contains("changed"), "{text}");
    }
    let versions = all.iter().map(E2fsck::version).collect::<Result<BTreeSet<_>>>()?;
    assert_eq!(versions.len(), all.len(), "two of them are of one generation: {versions:?}");
    Ok(())
}

#[test]
fn e2fsck_objects_to_damage_that_its_exit_code_hides() -> Result<()> {
    let sample = Sample::new()?;
    sample.debugfs("set_super_value free_blocks_count 7")?;
    let result = command::output(Command::new("e2fsck").arg("-fn").arg(sample.image()))?;
    assert_eq!(result.status.code(), Some(0), "the damage is of the kind that only the text shows");
    assert!(objection(fsck::check(&sample.image())).contains("Free blocks count wrong"));
    Ok(())
}

#[test]
fn a_repair_that_would_change_the_image_is_an_objection() -> Result<()> {
    let sample = Sample::new()?;
    // Without a hint how names were hashed, `e2fsck -fn` is silent, and `-fy` writes one.
    sample.debugfs("set_super_value flags 0")?;
    fsck::check(&sample.image())?;
    assert!(objection(fsck::repair_changes_nothing(&sample.image())).contains("changed"));
    Ok(())
}

#[test]
fn the_tree_of_an_image_equals_the_directory_it_was_made_of() -> Result<()> {
    let sample = Sample::new()?;
    sample.equals(image_tree::read(&sample.image())?)
}

/// Both readers of an image's tree: without root, and the kernel.
const READERS: [fn(&Path) -> Result<Manifest>; 2] = [image_tree::read, kernel::read_tree];

/// Those that can read here.
fn readers() -> impl Iterator<Item = fn(&Path) -> Result<Manifest>> {
    READERS.into_iter().take(if kernel::is_available() { 2 } else { 1 })
}

#[test]
fn every_change_in_an_image_is_an_objection_of_each_reader() -> Result<()> {
    let mut changes = vec![
        ("set_inode_field /plain mode 0100751", "mode 4751, found 0751"),
        ("set_inode_field /plain uid 7", "owner"),
        ("set_inode_field /plain gid 7", "owner"),
        ("set_inode_field /plain mtime 20200101000000", "time"),
        ("set_inode_field /plain size 3", "file of 3 bytes"),
        ("ea_set /plain user.short other", "xattrs"),
        ("ea_rm /deep user.long", "xattrs"),
        ("unlink /deep/short", "/deep/short: missing"),
        ("ln /deep/er/large /again", "/again: not expected"),
        ("symlink /added target", "/added: not expected"),
    ];
    if places::is_root() {
        changes.push(("set_inode_field /device block[1] 0x123", "found character device 1:35"));
        changes.push(("ea_rm /deep system.posix_acl_access", "xattrs"));
    }
    for (request, word) in changes {
        let sample = Sample::new()?;
        sample.debugfs(request)?;
        for read in readers() {
            let text = objection(sample.equals(read(&sample.image())?));
            assert!(text.contains(word), "{request}: {text}");
        }
    }
    Ok(())
}

#[test]
fn a_flipped_byte_of_a_files_content_is_an_objection_of_each_reader() -> Result<()> {
    let sample = Sample::new()?;
    let block = sample.number_from("bmap /deep/er/large 700")?;
    sample.damage(block * 4096 + 17, &[8])?;
    fsck::check(&sample.image())?;
    for read in readers() {
        let text = objection(sample.equals(read(&sample.image())?));
        assert!(text.contains("/deep/er/large: file of 3000000 bytes"), "{text}");
    }
    Ok(())
}

#[test]
fn each_reader_refuses_a_damaged_directory_and_a_damaged_inode() -> Result<()> {
    let directory = Sample::new()?;
    let block = directory.number_from("bmap /deep 0")?;
    directory.damage(block * 4096 + 30, b"!")?;
    let inode = Sample::new()?;
    inode.debugfs("set_inode_field /deep/er/large checksum 0x1234")?;
    for read in readers() {
        assert!(read(&directory.image()).is_err(), "the damaged directory is read");
        assert!(read(&inode.image()).is_err(), "the damaged inode is read");
    }
    Ok(())
}

#[test]
fn damage_that_the_kernel_writes_past_is_an_objection() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let sample = Sample::new()?;
    sample.debugfs("set_inode_field /deep/er/large links_count 7")?;
    let text = objection(kernel::writes(&sample.image()));
    assert!(text.contains("ref count"), "{text}");
    Ok(())
}

#[test]
fn every_change_of_a_tree_is_an_objection() -> Result<()> {
    let objects_to = |word: &str, change: &dyn Fn(&Path) -> Result<()>| -> Result<()> {
        let sample = Sample::new()?;
        let before = without_times(host_tree::read(&sample.tree())?);
        assert!(manifest::differences(&before, &before).is_empty());
        change(&sample.tree())?;
        let after = without_times(host_tree::read(&sample.tree())?);
        let differences = manifest::differences(&before, &after);
        let text = manifest::list(&differences);
        assert!(text.contains(word), "{word}: {text}");
        Ok(())
    };
    objects_to("file of 4 bytes", &|tree| Ok(fs::write(tree.join("plain"), "texT")?))?;
    objects_to("mode 4751, found 0751", &|tree| {
        Ok(fs::set_permissions(tree.join("plain"), fs::Permissions::from_mode(0o751))?)
    })?;
    objects_to("missing", &|tree| Ok(fs::remove_file(tree.join("deep/short"))?))?;
    objects_to("not expected", &|tree| Ok(fs::write(tree.join("new"), "")?))?;
    objects_to("linked to /deep/second name, found nothing", &|tree| Ok(fs::remove_file(tree.join("plain"))?))?;
    if places::is_root() {
        objects_to("owner 100000:70000, found 100000:7", &|tree| Ok(lchown(tree.join("plain"), None, Some(7))?))?;
        objects_to("found character device 300:70001", &|tree| {
            fs::remove_file(tree.join("device"))?;
            let device = makedev(300, 70_001);
            Ok(mknodat(CWD, tree.join("device"), FileType::CharacterDevice, Mode::RUSR, device)?)
        })?;
        objects_to("xattrs", &|tree| {
            command::run(Command::new("setfacl").args(["-m", "u:1234:r"]).arg(tree.join("deep"))).map(drop)
        })?;
    }
    objects_to("xattrs", &|tree| Ok(lsetxattr(tree.join("plain"), "user.short", b"other", XattrFlags::empty())?))?;
    objects_to("link to ../plaim", &|tree| {
        fs::remove_file(tree.join("deep/short"))?;
        Ok(symlink("../plaim", tree.join("deep/short"))?)
    })
}

fn without_times(mut tree: Manifest) -> Manifest {
    tree.values_mut().for_each(|entry| entry.modified = (0, 0));
    tree
}

#[test]
fn a_time_that_differs_by_a_nanosecond_is_an_objection() -> Result<()> {
    let sample = Sample::new()?;
    let before = host_tree::read(&sample.tree())?;
    let mut after = before.clone();
    after.values_mut().for_each(|entry| entry.modified.1 ^= 1);
    assert_eq!(manifest::differences(&before, &after).len(), before.len());
    Ok(())
}

#[test]
fn the_kernel_shows_the_same_tree() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let sample = Sample::new()?;
    sample.equals(kernel::read_tree(&sample.image())?)?;
    kernel::writes(&sample.image())
}

#[test]
fn the_kernel_refuses_a_damaged_superblock() -> Result<()> {
    let sample = Sample::new()?;
    sample.damage(1024 + 0x3FC, &[0; 4])?;
    if places::is_root() {
        assert!(Mount::new(&sample.image(), Access::ReadWrite).is_err());
    }
    assert!(image_tree::read(&sample.image()).is_err());
    Ok(())
}

#[test]
fn a_mount_is_not_blamed_for_the_damage_of_another() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let (sound, damaged) = (Sample::new()?, Sample::new()?);
    damaged.damage(1024 + 0x3FC, &[0; 4])?;
    let damaged = damaged.image();
    thread::scope(|scope| {
        let refused = scope.spawn(|| (0..ROUNDS).all(|_| Mount::new(&damaged, Access::ReadOnly).is_err()));
        let result = (0..ROUNDS).try_for_each(|_| Mount::new(&sound.image(), Access::ReadOnly)?.unmount());
        assert!(refused.join().unwrap_or_default());
        result
    })
}

#[test]
fn the_kernels_log_tells_of_damage_that_its_caller_does_not_see() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let sample = Sample::new()?;
    // A bit of the first group's bitmap is wrong, so the kernel passes the group over and takes blocks of others.
    let stats = command::run(Command::new("debugfs").args(["-R", "stats"]).arg(sample.image()))?;
    let stats = String::from_utf8_lossy(&stats);
    let (_, bitmap) = stats.split_once("block bitmap at ").ok_or_else(|| Failure::new("no block bitmap"))?;
    let bitmap: u64 = bitmap.split(',').next().unwrap_or_default().parse()?;
    sample.damage(bitmap * 4096 + 4000, &[0x55])?;
    let mount = Mount::new(&sample.image(), Access::ReadWrite)?;
    fs::write(mount.path().join("new"), vec![1; 1 << 20])?;
    let text = objection(mount.unmount());
    assert!(text.contains("EXT4-fs error") && text.contains("bad block bitmap checksum"), "{text}");
    Ok(())
}

#[test]
fn faults_are_told_from_what_the_kernel_usually_says() {
    let log = "EXT4-fs (vda): mounted filesystem with ordered data mode. Quota mode: none.\n\
               EXT4-fs (vda): resizing filesystem from 16384 to 32768 blocks\n\
               EXT4-fs warning (device vdb): ext4_resize_begin:83: There are errors\n\
               EXT4-fs error (device loop10): ext4_lookup:1855: inode #2: bad\n\
               usb 1-1: new device";
    let faults = kernel_log::faults(log);
    assert_eq!(faults.len(), 2);
    assert!(kernel_log::names_device(faults[0], "vdb"));
    assert!(kernel_log::names_device(faults[1], "loop10") && !kernel_log::names_device(faults[1], "loop1"));
}

#[test]
fn backups_restore_an_image() -> Result<()> {
    let sample = Sample::new()?;
    let expected = image_tree::read(&sample.image())?;
    backup::restores(&sample.image(), 1, 33, &expected)
}

#[test]
fn a_lost_backup_is_an_objection() -> Result<()> {
    let sample = Sample::new()?;
    let expected = image_tree::read(&sample.image())?;
    sample.damage(32_768 * 4096, &[0; 4096])?;
    fsck::judge(&sample.image())?;
    assert!(backup::restores(&sample.image(), 1, 33, &expected).is_err());
    Ok(())
}
