//! The kernel uses file systems of every size near an edge, to their last block.

mod support;

use std::fs;

use nex_ext4::{BLOCK_SIZE, Layout, Size, Tree};
use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::{Result, fsck};
use support::{Builder, MIB, pattern};

const GROUP: u64 = 32_768 * BLOCK_SIZE;
/// Bitmaps, a table of 8,192 inodes, and what mke2fs wants to be left of a last group.
const LAST_GROUP: u64 = (2 + 512 + 50) * BLOCK_SIZE;
/// The superblock, the descriptors and their reserve, which a backup adds.
const BACKUP: u64 = 33 * BLOCK_SIZE;

/// Makes files and directories, deletes a half of them, and takes every block that is free. What the kernel keeps back for
/// blocks that it places late is given up when none are outstanding.
const USE: &str = r#"
mkdir new
for i in $(seq 60); do
    mkdir new/$i
    seq $((i * 100)) >new/$i/file
done
for i in $(seq 1 2 60); do
    rm -r new/$i
done
sync -f .
echo 0 >/sys/fs/ext4/$DEVICE/reserved_clusters
fallocate -l $(($(stat -f -c %f .) * 4096)) full 2>&- || true
cat /dev/zero >rest 2>&- || true
sync -f .
echo $(stat -f -c %f .) blocks are left
rm full rest
for i in $(seq 2 2 60); do
    seq $((i * 100)) | cmp - new/$i/file
done
"#;

#[test]
#[ignore = "slow: more than a hundred mounts"]
fn every_size_near_an_edge_can_be_used_to_its_last_block() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    // Groups, flex groups of 16, blocks of 64 descriptors, and the backups in powers of 3, 5 and 7.
    let edges = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 17, 25, 26, 27, 28, 32, 49, 50, 64, 65, 81, 82];
    let sizes = edges.into_iter().flat_map(|groups| {
        let edge = groups * GROUP;
        let last = edge + LAST_GROUP;
        [edge - BLOCK_SIZE, edge, edge + BLOCK_SIZE, last, last + BACKUP - BLOCK_SIZE, last + BACKUP]
    });
    for size in [8 * MIB, 16 * MIB, 20 * MIB + 1, 64 * MIB].into_iter().chain(sizes) {
        let mut builder = Builder::new(&Layout { size_limit: Some(size), ..Layout::default() });
        builder.add_file(Tree::ROOT, "file", &pattern(size, 300_000));
        let image = builder.finish(Size::Exact(size));
        let mount = Mount::new(&image.path(), Access::ReadWrite)?;
        let said = mount.run(&format!("DEVICE={}\n{USE}", mount.device()))?;
        assert_eq!(said, "0 blocks are left\n", "{size} bytes");
        assert!(fs::read(mount.path().join("file"))? == pattern(size, 300_000), "{size} bytes");
        mount.unmount()?;
        fsck::check(&image.path())?;
    }
    Ok(())
}
