//! Every size near an edge of the format: the smallest, and those where a group, a flexible group, a block of descriptors
//! or a backup begins. e2fsck is silent, and dumpe2fs counts as the report does.

mod support;

use nex_ext4::{BLOCK_SIZE, Error, Journal, Layout, Size, Sizes, Tree};
use nex_testkit::kernel::{self, Access, Mount};
use support::{Builder, Image, assert_fsck_is_silent, dumpe2fs};

const BLOCKS_PER_GROUP: u64 = 32_768;
/// Groups that one block of descriptors describes.
const DESCRIPTORS_PER_BLOCK: u64 = 64;
/// Groups in a flexible group.
const FLEX: u64 = 16;
/// What mke2fs wants to be left of a last group behind its own metadata.
const LAST_GROUP_MIN_FREE: u64 = 50;

/// A way to make file systems, and what a group then needs for itself.
struct Variant {
    name: &'static str,
    journal: Journal,
    inodes_per_group: Option<u64>,
    /// Whether growth is prepared for.
    grows: bool,
    /// Blocks of a group's bitmaps and inode table.
    group_blocks: u64,
}

const USUAL: Variant =
    Variant { name: "usual", journal: Journal::Usual, inodes_per_group: None, grows: true, group_blocks: 2 + 512 };
const FEW_INODES: Variant = Variant {
    name: "few inodes, no journal",
    journal: Journal::None,
    inodes_per_group: Some(16),
    group_blocks: 2 + 1,
    ..USUAL
};
const MANY_INODES: Variant =
    Variant { name: "many inodes", inodes_per_group: Some(16_384), group_blocks: 2 + 1024, ..USUAL };
const NO_GROWTH: Variant = Variant { name: "no growth", grows: false, ..USUAL };

impl Variant {
    fn build(&self, blocks: u64) -> Result<Image, Error> {
        let size = blocks * BLOCK_SIZE;
        let max_size = if self.grows { Layout::default().max_size } else { size };
        let groups = blocks.div_ceil(BLOCKS_PER_GROUP);
        let inodes = self.inodes_per_group.map(|per_group| per_group * groups);
        let sizes = Sizes { journal: self.journal, inodes, ..Size::Exact(size).into() };
        Builder::new(&Layout { max_size, size_limit: Some(size) }).try_finish(sizes)
    }

    /// Blocks of superblock, descriptors and reserve in a group that has them.
    fn super_blocks(&self, groups: u64) -> u64 {
        1 + if self.grows { 32 } else { groups.div_ceil(DESCRIPTORS_PER_BLOCK) }
    }

    /// How far past a group's end the edges are: one block, and those where the next group can hold its own metadata.
    fn offsets(&self, groups: u64) -> Vec<i64> {
        let plain = (self.group_blocks + LAST_GROUP_MIN_FREE) as i64;
        let with_backup = plain + self.super_blocks(groups + 1) as i64;
        vec![-1, 0, 1, plain - 1, plain, plain + 1, with_backup - 1, with_backup, with_backup + 1]
    }

    /// How many of the blocks the file system keeps: not those of a last group that cannot hold its own metadata, which
    /// is more where there is a backup.
    fn kept(&self, blocks: u64) -> u64 {
        let (group, last) = (blocks / BLOCKS_PER_GROUP, blocks % BLOCKS_PER_GROUP);
        let has_backup = [1, 3, 5, 7, 9, 25, 27, 49, 81, 125].contains(&group);
        let backup = if has_backup { self.super_blocks(group + 1) } else { 0 };
        let is_kept = group == 0 || last >= self.group_blocks + LAST_GROUP_MIN_FREE + backup;
        if is_kept { blocks } else { blocks - last }
    }

    /// Judges every size near the end of these many groups.
    fn sweep(&self, edges: &[u64]) {
        for groups in edges {
            for offset in self.offsets(*groups) {
                let blocks = (groups * BLOCKS_PER_GROUP).checked_add_signed(offset).unwrap();
                let image = self.build(blocks).unwrap();
                eprintln!("{}: {groups} groups and {offset} blocks", self.name);
                judge(&image);
                assert_eq!(image.report.block_count, self.kept(blocks));
                assert_eq!(image.path().metadata().unwrap().len(), blocks * BLOCK_SIZE);
            }
        }
    }
}

fn judge(image: &Image) {
    assert_fsck_is_silent(&image.path());
    image.assert_counts(&dumpe2fs(&image.path()));
}

#[test]
#[ignore = "slow: some hundreds of file systems"]
fn the_usual_file_system_is_clean_near_every_edge() {
    USUAL.sweep(&[1, 2, 3, 4, 5, 7, 9, FLEX - 1, FLEX, FLEX + 1, 25, 26, 27, 2 * FLEX, 49, 63, 64, 65, 81, 125, 128]);
}

#[test]
#[ignore = "slow: some hundreds of file systems"]
fn unusual_parts_are_clean_near_every_kind_of_edge() {
    for variant in [FEW_INODES, MANY_INODES, NO_GROWTH] {
        variant.sweep(&[1, 3, 4, FLEX, 25, DESCRIPTORS_PER_BLOCK]);
    }
}

#[test]
fn the_smallest_file_systems_are_clean_and_the_kernel_mounts_them() {
    let smallest = |journal, inodes, max_size| {
        let sizes = |size| Sizes { journal, inodes, ..Size::Exact(size).into() };
        let build = |size| Builder::new(&Layout { max_size, size_limit: Some(size) }).try_finish(sizes(size));
        let needed = match build(BLOCK_SIZE).map(|image| image.report) {
            Err(Error::TooSmall { needed, .. }) => needed,
            other => panic!("{other:?}"),
        };
        for blocks in (0..20).chain([50, 100, 300]) {
            let image = build(needed + blocks * BLOCK_SIZE).unwrap();
            judge(&image);
            assert_eq!(image.report.free_blocks, blocks);
            if blocks == 0 || blocks == 100 {
                image.assert_repair_changes_nothing();
                mount(&image, blocks);
            }
        }
        needed / BLOCK_SIZE
    };
    let growth = Layout::default().max_size;
    assert_eq!(smallest(Journal::Usual, None, growth), 33 + 5 + 1024 + 1 + 2 + 512);
    assert_eq!(smallest(Journal::None, None, growth), 33 + 5 + 1 + 2 + 512);
    assert_eq!(smallest(Journal::None, Some(11), 0), 2 + 5 + 1 + 2 + 1);
}

/// The kernel mounts it, and writes as far as there is room.
fn mount(image: &Image, free_blocks: u64) {
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadWrite).unwrap();
    if free_blocks > 10 {
        mount.run("head -c 20000 /dev/urandom > file; test $(stat -c %s file) = 20000").unwrap();
    }
    mount.unmount().unwrap();
    assert_fsck_is_silent(&image.path());
}

#[test]
#[ignore = "slow: e2fsck takes a minute for 16 TiB"]
fn nearly_16_tib_are_clean_and_sparse() {
    use std::os::unix::fs::MetadataExt;
    // One block less than 16 TiB is the longest file that an ext4 below can hold.
    let size = (16 << 40) - BLOCK_SIZE;
    let mut builder = Builder::new(&Layout { size_limit: Some(size), ..Layout::default() });
    builder.add_file(Tree::ROOT, "file", b"content");
    let image = builder.finish(Size::Exact(size));
    assert!(image.path().metadata().unwrap().blocks() * 512 < 512 << 20);
    judge(&image);
    if kernel::is_available() {
        let mount = Mount::new(&image.path(), Access::ReadWrite).unwrap();
        mount.run("test $(cat file) = content; mkdir d; head -c 20M /dev/urandom > d/new").unwrap();
        mount.unmount().unwrap();
    }
}
