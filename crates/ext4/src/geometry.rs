//! The arithmetic of block groups: pure functions of sizes, nothing else.
//!
//! ```text
//! group 0              group 1              group 2      group 3
//! | SB GDT reserve ... | SB GDT reserve ... | ...        | SB GDT reserve ... |
//!   <---- span ---->     backups in groups 1 and the powers of 3, 5 and 7 (sparse_super)
//! ```

mod descriptors;
mod inodes;

pub(crate) use inodes::{Inodes, MAX_INODES_PER_GROUP, max_inodes, min_blocks};

pub(crate) use descriptors::DESCRIPTORS_PER_BLOCK;

use crate::inode::INODE_SIZE;
use crate::{BLOCK_SIZE, Layout};

/// Blocks in a full group (`s_blocks_per_group`): as many as a bitmap of one block can describe.
pub(crate) const BLOCKS_PER_GROUP: u64 = 8 * BLOCK_SIZE;
/// Bytes of a group descriptor (`s_desc_size` with the `64bit` feature).
pub(crate) const DESCRIPTOR_SIZE: u64 = 64;
/// Inodes in one block of an inode table.
pub(crate) const INODES_PER_BLOCK: u64 = BLOCK_SIZE / INODE_SIZE as u64;
/// The largest number of reserved descriptor blocks: the resize inode has one double-indirect block to list them.
pub(crate) const MAX_RESERVED_GDT_BLOCKS: u64 = BLOCK_SIZE / 4;
/// 16 TiB: the resize inode names blocks with 32 bits.
pub(crate) const MAX_BLOCKS: u64 = 1 << 32;
/// What mke2fs wants to be left of a last group behind its own metadata.
pub(crate) const LAST_GROUP_MIN_FREE: u64 = 50;

/// Whether the group starts with a copy of the superblock and the descriptors (`ext4_bg_has_super`).
pub(crate) fn has_super(group: u64) -> bool {
    let is_power_of = |base: u64| {
        let mut power = base;
        while power < group {
            power *= base;
        }
        power == group
    };
    group <= 1 || is_power_of(3) || is_power_of(5) || is_power_of(7)
}

/// The groups below `group_count` that hold backups, ascending (`ext4_list_backups`).
pub(crate) fn backup_groups(group_count: u64) -> impl Iterator<Item = u64> {
    let mut next = [(1, 3), (5, 5), (7, 7)];
    std::iter::from_fn(move || {
        let lowest = next.iter_mut().min_by_key(|(power, _)| *power)?;
        let group = lowest.0;
        lowest.0 *= lowest.1;
        Some(group)
    })
    .take_while(move |group| *group < group_count)
}

/// How many blocks the superblock, the descriptors and their reserve may take at the start of a group, fixed before
/// the first byte is placed.
pub(crate) fn span(layout: &Layout) -> u64 {
    let largest = layout.max_size.max(layout.size_limit.unwrap_or(0)) / BLOCK_SIZE;
    1 + descriptor_blocks(group_count(largest.clamp(1, MAX_BLOCKS)))
}

/// The largest file system, in blocks, whose descriptors fit into `span`.
pub(crate) fn max_blocks(span: u64) -> u64 {
    MAX_BLOCKS.min((span - 1) * (BLOCK_SIZE / DESCRIPTOR_SIZE) * BLOCKS_PER_GROUP)
}

/// The largest size, in blocks, for which a file system of `blocks` blocks can keep descriptors in reserve.
pub(crate) fn max_growth(blocks: u64) -> u64 {
    max_blocks(1 + descriptor_blocks(group_count(blocks)) + MAX_RESERVED_GDT_BLOCKS)
}

pub(crate) fn group_count(blocks: u64) -> u64 {
    blocks.div_ceil(BLOCKS_PER_GROUP)
}

pub(crate) fn descriptor_blocks(groups: u64) -> u64 {
    groups.div_ceil(BLOCK_SIZE / DESCRIPTOR_SIZE)
}

/// A file system's size and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// `s_blocks_count`.
    pub block_count: u64,
    /// How many groups, the last perhaps a partial one.
    pub group_count: u64,
    /// Blocks of group descriptors.
    pub descriptor_blocks: u64,
    /// `s_reserved_gdt_blocks`.
    pub reserved_blocks: u64,
    /// `s_first_meta_bg`: descriptor blocks from this one on stand in the groups that they describe. `None` without the
    /// `meta_bg` feature, which only growth past the reserve brings.
    pub first_meta_bg: Option<u64>,
    /// `s_inodes_per_group`.
    pub inodes_per_group: u32,
}

impl Geometry {
    /// The geometry of at most `blocks` blocks with room for so many inodes; `span` was fixed by the layout.
    ///
    /// `None` when so few groups cannot hold so many inodes, or `span` cannot hold so many descriptors.
    pub fn new(blocks: u64, inodes: Inodes, span: u64) -> Option<Self> {
        let whole = Self::with_block_count(blocks, inodes, span)?;
        let last = whole.blocks_in_group(whole.group_count - 1);
        if whole.group_count == 1 || last >= whole.overhead_of_last_group() + LAST_GROUP_MIN_FREE {
            return Some(whole);
        }
        Self::with_block_count(blocks - last, inodes, span)
    }

    fn with_block_count(block_count: u64, inodes: Inodes, span: u64) -> Option<Self> {
        let group_count = group_count(block_count);
        if group_count == 0 || block_count > max_blocks(span) {
            return None;
        }
        let descriptor_blocks = descriptor_blocks(group_count);
        Some(Self {
            block_count,
            group_count,
            descriptor_blocks,
            reserved_blocks: (span - 1 - descriptor_blocks).min(MAX_RESERVED_GDT_BLOCKS),
            first_meta_bg: None,
            inodes_per_group: inodes.per_group(group_count)?,
        })
    }

    /// Blocks of one group's inode table.
    pub fn table_blocks(&self) -> u64 {
        u64::from(self.inodes_per_group) / INODES_PER_BLOCK
    }

    /// `s_inodes_count`.
    pub fn inode_count(&self) -> u64 {
        u64::from(self.inodes_per_group) * self.group_count
    }

    /// The group's first block and the first behind it.
    pub fn group_blocks(&self, group: u64) -> std::ops::Range<u64> {
        let start = group * BLOCKS_PER_GROUP;
        start..self.block_count.min(start + BLOCKS_PER_GROUP)
    }

    /// How many blocks the group has.
    pub fn blocks_in_group(&self, group: u64) -> u64 {
        let blocks = self.group_blocks(group);
        blocks.end - blocks.start
    }

    /// The groups that hold backups, ascending.
    pub fn backup_groups(&self) -> impl Iterator<Item = u64> + use<> {
        backup_groups(self.group_count)
    }

    /// `s_overhead_clusters`, as the kernel computes it (`ext4_calculate_overhead`).
    pub fn overhead(&self, journal_blocks: u64) -> u64 {
        self.base_metadata() + self.group_count * (2 + self.table_blocks()) + journal_blocks
    }

    /// Blocks that the last group's metadata takes.
    pub fn overhead_of_last_group(&self) -> u64 {
        2 + self.table_blocks() + self.super_blocks_in_group(self.group_count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn backups_stand_in_group_1_and_the_powers_of_3_5_and_7() {
        let expected = [1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343];
        assert_eq!(backup_groups(344).collect::<Vec<_>>(), expected);
        let by_definition = (1..344).filter(|group| has_super(*group)).collect::<Vec<_>>();
        assert_eq!(by_definition, expected);
    }

    #[test]
    fn the_default_layout_reserves_descriptors_for_256_gib() {
        assert_eq!(span(&Layout::default()), 33);
        assert_eq!(max_blocks(33) * BLOCK_SIZE, 256 * GIB);
    }

    #[test]
    fn a_fixed_size_beyond_the_maximum_widens_the_span() {
        assert_eq!(span(&Layout { max_size: GIB, size_limit: Some(100 * GIB) }), 1 + 13);
    }

    #[test]
    fn a_last_group_that_cannot_hold_its_own_metadata_is_left_off() {
        let full = Geometry::new(2 * BLOCKS_PER_GROUP, Inodes::usual(100), 33).unwrap();
        for extra in [1, 2 + 512 + LAST_GROUP_MIN_FREE - 1] {
            assert_eq!(Geometry::new(2 * BLOCKS_PER_GROUP + extra, Inodes::usual(100), 33).unwrap(), full);
        }
        let kept = Geometry::new(2 * BLOCKS_PER_GROUP + 2 + 512 + LAST_GROUP_MIN_FREE, Inodes::usual(100), 33).unwrap();
        assert_eq!(kept.group_count, 3);
    }

    #[test]
    fn the_reserve_of_the_resize_inode_is_good_for_8_tib() {
        assert_eq!(max_growth(GIB / BLOCK_SIZE) * BLOCK_SIZE, 8200 * GIB);
        assert_eq!(max_growth((8 << 40) / BLOCK_SIZE), MAX_BLOCKS);
    }
}
