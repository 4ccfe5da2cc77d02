//! The kernel uses what was grown, to the last block and inode, and what it has used itself grows too.

mod support;

use std::fs::File;
use std::path::Path;

use nex_ext4::{BLOCK_SIZE, Editor, Grown, Journal, Layout, Reserved, Size, Sizes, Tree};
use nex_testkit::kernel::{self, Access, Mount};
use support::{Builder, GIB, Image, MIB, assert_fsck_is_silent, debugfs, pattern};

fn image(sizes: Sizes, max_size: u64) -> Image {
    let mut builder = Builder::new(&Layout { max_size, size_limit: None });
    builder.add_file(Tree::ROOT, "file", &pattern(1, 3 << 20));
    builder.finish(sizes)
}

fn grow(path: &Path, size: u64) -> Grown {
    let file = File::options().read(true).write(true).open(path).unwrap();
    Editor::open(&file).unwrap().grow(size).unwrap()
}

fn assert_file(mount: &Mount) {
    assert!(std::fs::read(mount.path().join("file")).unwrap() == pattern(1, 3 << 20));
}

/// What the kernel counts: all blocks, free ones, all inodes, free ones.
const COUNT: &str = "stat -f -c '%b %f %c %d' .";

/// Takes every inode, and then every block. What the kernel keeps back for blocks that it places late is given up when none
/// are outstanding.
const FILL: &str = "
    touch blocks rest
    mkdir names
    (cd names && seq $(($(stat -f -c %d .))) | xargs touch)
    sync -f .
    echo 0 >/sys/fs/ext4/$DEVICE/reserved_clusters
    fallocate -l $(($(stat -f -c %f .) * 4096)) blocks 2>&- || true
    cat /dev/zero >>rest 2>&- || true
    sync -f .
    stat -f -c '%f %d' .
";

#[test]
#[ignore = "slow: makes hundreds of thousands of files"]
fn it_fills_to_the_last_block_and_inode() {
    if !kernel::is_available() {
        return;
    }
    let few_inodes = |size| Sizes { inodes: Some(1000), ..Size::Exact(size).into() };
    let cases = [
        (Size::Exact(64 * MIB).into(), 256 * GIB, 128 * MIB),
        (Size::Exact(150 * MIB).into(), 256 * GIB, 16 * 150 * MIB),
        (few_inodes(64 * MIB), 256 * GIB, 40 * GIB + 5 * MIB),
        (few_inodes(64 * MIB), 0, 20 * GIB),
        (Sizes { journal: Journal::None, ..few_inodes(150 * MIB) }, 9 * GIB, 17 * GIB + 700 * BLOCK_SIZE),
    ];
    for (sizes, max_size, new) in cases {
        let image = image(sizes, max_size);
        let grown = grow(&image.path(), new);
        let mount = Mount::new(&image.path(), Access::ReadWrite).unwrap();
        let said = mount.run(&format!("DEVICE={}\n{FILL}", mount.device())).unwrap();
        assert_eq!(said, "0 0\n", "{grown:?}");
        assert_file(&mount);
        mount.unmount().unwrap();
        assert_fsck_is_silent(&image.path());
    }
}

#[test]
fn the_kernel_counts_as_the_report_does() {
    if !kernel::is_available() {
        return;
    }
    for max_size in [256 * GIB, 0] {
        let sizes = Sizes { reserved: Reserved::Share(500), ..Size::Exact(150 * MIB).into() };
        let image = image(sizes, max_size);
        let grown = grow(&image.path(), 40 * GIB);
        assert_eq!(grown.reserved_blocks, grown.block_count / 20);
        let count = |path: &Path| {
            let mount = Mount::new(path, Access::ReadOnly).unwrap();
            let counted = mount.run(COUNT).unwrap();
            mount.unmount().unwrap();
            counted
        };
        let counted = count(&image.path());
        let expected = format!(" {} {} {}\n", grown.free_blocks, grown.inode_count, grown.free_inodes);
        assert!(counted.ends_with(&expected), "{counted} {grown:?}");
        // With no overhead in the superblock the kernel computes its own.
        let copy = image.copy();
        debugfs_write(&copy, "ssv overhead_clusters 0");
        assert_eq!(count(&copy), counted);
    }
}

fn debugfs_write(image: &Path, request: &str) {
    let mut command = std::process::Command::new("debugfs");
    assert!(command.args(["-w", "-R", request]).arg(image).output().unwrap().status.success());
    assert!(debugfs(image, "stats").contains("Block count"));
}

#[test]
fn what_the_kernel_has_used_grows_and_is_used_again() {
    if !kernel::is_available() {
        return;
    }
    for max_size in [256 * GIB, 0] {
        let image = image(Size::Exact(150 * MIB).into(), max_size);
        let mut new = 300 * MIB;
        for round in 0..4 {
            let mount = Mount::new(&image.path(), Access::ReadWrite).unwrap();
            let script = format!(
                "mkdir round{round}; cd round{round}
                 for i in $(seq 400); do head -c $((i * 100)) /dev/zero >$i; done
                 head -c 60000000 /dev/urandom >large; sha256sum large >sum
                 rm 1*; ln large again; touch -d @{round} 2"
            );
            mount.run(&script).unwrap();
            mount.unmount().unwrap();
            grow(&image.path(), new);
            assert_fsck_is_silent(&image.path());
            let mount = Mount::new(&image.path(), Access::ReadOnly).unwrap();
            mount
                .run(&format!("for i in $(seq 0 {round}); do (cd round$i; sha256sum -c sum; cmp large again); done"))
                .unwrap();
            assert_file(&mount);
            mount.unmount().unwrap();
            new *= 4;
        }
    }
}
