//! Where the metadata of all groups stands: superblocks and descriptors, bitmaps, inode tables.

use std::ops::Range;

use crate::read_at::ReadAt;
use crate::superblock::{compat, incompat};

use super::groups::Group;
use super::{Error, Reader};

/// Checks that each group's metadata stands where it may (`ext4_check_descriptors`), and that no two parts of it stand in
/// one place (`ext4_setup_system_zone`).
pub(super) fn check<S: ReadAt>(reader: &Reader<S>) -> Result<(), Error> {
    let mut zones = Vec::with_capacity(reader.groups.len().saturating_mul(3));
    for (number, group) in (0..).zip(&reader.groups) {
        let home = home(reader, number);
        for part in parts(reader, group) {
            if part.start < home.start || part.end > home.end {
                return Err(Error::damaged(format!(
                    "group {number}'s descriptor names block {}, which cannot hold its metadata",
                    part.start
                )));
            }
            zones.push(part);
        }
        zones.extend(base(reader, number));
    }
    zones.sort_unstable_by_key(|zone| zone.start);
    match zones.iter().zip(zones.iter().skip(1)).find(|(one, next)| next.start < one.end) {
        Some((_, next)) => Err(Error::damaged(format!("block {} holds metadata of two kinds", next.start))),
        None => Ok(()),
    }
}

/// The blocks among which a group's metadata may stand: its own, or all where groups are flexible.
fn home<S: ReadAt>(reader: &Reader<S>, group: u64) -> Range<u64> {
    let superblock = &reader.superblock;
    let all = superblock.first_data_block.into()..superblock.blocks;
    if superblock.has_incompat(incompat::FLEX_BG) {
        return all;
    }
    let start = superblock.group_start(group);
    start..all.end.min(start + u64::from(superblock.blocks_per_group))
}

/// The bitmaps and the inode table.
fn parts<S: ReadAt>(reader: &Reader<S>, group: &Group) -> [Range<u64>; 3] {
    let of = |start: u64, length: u64| start..start.saturating_add(length);
    [of(group.block_bitmap, 1), of(group.inode_bitmap, 1), of(group.inode_table, reader.table_blocks())]
}

/// What a group begins with: a superblock, descriptors, and blocks that are kept for more of them; `None` for nothing.
fn base<S: ReadAt>(reader: &Reader<S>, group: u64) -> Option<Range<u64>> {
    let (superblock, record) = (&reader.superblock, &reader.record);
    let has_super = superblock.group_has_super(group, record.backup_groups);
    let per_block = superblock.block_size / u64::from(superblock.group_descriptor_size());
    let has_meta = superblock.has_incompat(incompat::META_BG);
    let first_meta = u64::from(record.first_meta_bg);
    let is_meta = has_meta && group / per_block >= first_meta;
    let behind = match (is_meta, has_super) {
        // The first, the second and the last group of those that one block of descriptors describes have that block.
        (true, _) => u64::from([0, 1, per_block - 1].contains(&(group % per_block))),
        (false, false) => 0,
        (false, true) if has_meta => first_meta,
        (false, true) => {
            let has_reserve = superblock.has_compat(compat::RESIZE_INODE);
            let reserve = if has_reserve { u64::from(record.reserved_descriptor_blocks) } else { 0 };
            superblock.group_count().div_ceil(per_block) + reserve
        }
    };
    let length = u64::from(has_super) + behind;
    let start = superblock.group_start(group);
    (length > 0).then_some(start..start + length)
}
