//! The kernel mounts what was written, reads it back, writes, and leaves a file system that e2fsck accepts.

mod support;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_ext4::{Device, Kind, Layout, Size, Tree};
use support::{Builder, MIB, assert_fsck_is_silent, pattern};

/// A loop mount that goes away with it.
struct Mount {
    point: tempfile::TempDir,
    mounted: bool,
}

impl Mount {
    /// `None`, with a message, where mounting is not possible.
    fn new(image: &Path) -> Option<Self> {
        let point = tempfile::tempdir().unwrap();
        let output = Command::new("mount").args(["-o", "loop"]).arg(image).arg(point.path()).output();
        match output {
            Ok(output) if output.status.success() => Some(Self { point, mounted: true }),
            output => {
                eprintln!("no loop mounts here, so the kernel does not judge: {output:?}");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.point.path().join(name)
    }

    fn unmount(mut self) {
        self.mounted = !umount(self.point.path());
        assert!(!self.mounted, "umount failed");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted {
            umount(self.point.path());
        }
    }
}

fn umount(point: &Path) -> bool {
    Command::new("umount").arg(point).status().is_ok_and(|status| status.success())
}

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
    let Some(mount) = Mount::new(&image.path()) else { return };

    assert!(fs::read(mount.path("file")).unwrap() == pattern(1, 3 << 20));
    let again = mount.path("directory/again").metadata().unwrap();
    assert_eq!((again.nlink(), again.mtime(), again.mtime_nsec()), (2, 1_700_000_000, 123_456_789));
    assert_eq!(fs::read_link(mount.path("directory/link")).unwrap(), Path::new("../file"));
    assert_eq!(fs::read_link(mount.path("directory/long link")).unwrap().as_os_str().len(), 4000);
    let null = mount.path("directory/null").metadata().unwrap();
    assert!(null.file_type().is_char_device() && null.rdev() == 0x103);
    assert!(mount.path("directory/fifo").metadata().unwrap().file_type().is_fifo());
    assert_eq!(mount.path("lost+found").metadata().unwrap().permissions().mode(), 0o040_700);

    for i in 0..600 {
        fs::write(mount.path(&format!("directory/new {i}")), pattern(i, 20_000)).unwrap();
    }
    fs::write(mount.path("large"), pattern(7, 30 << 20)).unwrap();
    fs::remove_file(mount.path("file")).unwrap();
    mount.unmount();

    assert_fsck_is_silent(&image.path());
    assert!(support::read(&image.path(), "/large") == pattern(7, 30 << 20));
    assert!(support::read(&image.path(), "/directory/new 599") == pattern(599, 20_000));
}

#[test]
fn the_kernel_counts_as_the_report_does() {
    let image = Builder::new(&Layout::default()).finish(Size::Exact(300 * MIB));
    let Some(mount) = Mount::new(&image.path()) else { return };
    let output = Command::new("stat").args(["-f", "-c", "%S %f %c %d"]).arg(mount.point.path()).output().unwrap();
    let report = &image.report;
    let expected = format!("4096 {} {} {}\n", report.free_blocks, report.inode_count, report.free_inodes);
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    mount.unmount();
}

#[test]
fn the_journal_replays_after_an_unclean_stop() {
    let mut builder = Builder::new(&Layout::default());
    builder.add_file(Tree::ROOT, "file", &pattern(1, 1 << 20));
    let image = builder.finish(Size::Exact(150 * MIB));
    let Some(mount) = Mount::new(&image.path()) else { return };
    (0..200).for_each(|i| fs::write(mount.path(&format!("new {i}")), pattern(i, 9000)).unwrap());
    assert!(Command::new("sync").arg("-f").arg(mount.point.path()).status().unwrap().success());
    let snapshot = image.copy();
    mount.unmount();

    let Some(replayed) = Mount::new(&snapshot) else { return };
    assert!(fs::read(replayed.path("new 199")).unwrap() == pattern(199, 9000));
    replayed.unmount();
    assert_fsck_is_silent(&snapshot);
}
