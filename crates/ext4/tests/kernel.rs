//! The kernel mounts what was written, reads it back, writes, and leaves a file system that e2fsck accepts.

mod support;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use nex_ext4::{Device, Kind, Layout, Size, Tree};
use nex_testkit::kernel::{self, Access, Mount};
use support::{Builder, MIB, assert_fsck_is_silent, pattern};

#[test]
fn the_kernel_reads_and_writes() {
    let mut builder = Builder::new(&Layout::default());
    builder.add_file(Tree::ROOT, "file", &pattern(1, 3 << 20));
    let twice = builder.add_file(Tree::ROOT, "twice", b"linked");
    let directory = builder.add_directory(Tree::ROOT, "directory");
    builder.link(directory, "again", twice);
    builder.add(directory, "link", Kind::Symlink(b"../file"[..].into()));
    builder.add(directory, "long link", Kind::Symlink(vec![b'x'; 4000].into()));
    builder.add(directory, "null", Kind::CharacterDevice(Device { major: 1, minor: 3 }));
    builder.add(directory, "fifo", Kind::Fifo);
    let image = builder.finish(Size::Exact(150 * MIB));
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadWrite).unwrap();

    assert!(fs::read(mount.path().join("file")).unwrap() == pattern(1, 3 << 20));
    let again = mount.path().join("directory/again").metadata().unwrap();
    assert_eq!((again.nlink(), again.mtime(), again.mtime_nsec()), (2, 1_700_000_000, 123_456_789));
    assert_eq!(fs::read_link(mount.path().join("directory/link")).unwrap(), Path::new("../file"));
    assert_eq!(fs::read_link(mount.path().join("directory/long link")).unwrap().as_os_str().len(), 4000);
    let null = mount.path().join("directory/null").metadata().unwrap();
    assert!(null.file_type().is_char_device() && null.rdev() == 0x103);
    assert!(mount.path().join("directory/fifo").metadata().unwrap().file_type().is_fifo());
    assert_eq!(mount.path().join("lost+found").metadata().unwrap().permissions().mode(), 0o040_700);

    for i in 0..600 {
        fs::write(mount.path().join(format!("directory/new {i}")), pattern(i, 20_000)).unwrap();
    }
    fs::write(mount.path().join("large"), pattern(7, 30 << 20)).unwrap();
    fs::remove_file(mount.path().join("file")).unwrap();
    mount.unmount().unwrap();

    assert_fsck_is_silent(&image.path());
    assert!(support::read(&image.path(), "/large") == pattern(7, 30 << 20));
    assert!(support::read(&image.path(), "/directory/new 599") == pattern(599, 20_000));
}

#[test]
fn the_kernel_counts_as_the_report_does() {
    let image = Builder::new(&Layout::default()).finish(Size::Exact(300 * MIB));
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadWrite).unwrap();
    let report = &image.report;
    let expected = format!("4096 {} {} {}\n", report.free_blocks, report.inode_count, report.free_inodes);
    assert_eq!(mount.run("stat -f -c '%S %f %c %d' .").unwrap(), expected);
    mount.unmount().unwrap();
}

#[test]
fn the_journal_replays_after_an_unclean_stop() {
    let mut builder = Builder::new(&Layout::default());
    builder.add_file(Tree::ROOT, "file", &pattern(1, 1 << 20));
    let image = builder.finish(Size::Exact(150 * MIB));
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadWrite).unwrap();
    (0..200).for_each(|i| fs::write(mount.path().join(format!("new {i}")), pattern(i, 9000)).unwrap());
    mount.run("sync -f .").unwrap();
    let snapshot = image.copy();
    mount.unmount().unwrap();

    let replayed = Mount::new(&snapshot, Access::ReadWrite).unwrap();
    assert!(fs::read(replayed.path().join("new 199")).unwrap() == pattern(199, 9000));
    replayed.unmount().unwrap();
    assert_fsck_is_silent(&snapshot);
}
