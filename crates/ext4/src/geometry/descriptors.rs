//! Where the group descriptors stand: behind each superblock, or in the groups that they describe.
//!
//! Growth past the reserved blocks finds no room behind the superblocks. The `meta_bg` feature is the format's way out: a
//! block of descriptors describes 64 groups, a metagroup, and stands in the first of them, with copies in the second and
//! in the last. Superblocks in such groups stand alone.

use super::{BLOCKS_PER_GROUP, DESCRIPTOR_SIZE, Geometry, has_super};
use crate::BLOCK_SIZE;

/// Groups that one block of descriptors describes (`EXT4_DESC_PER_BLOCK`).
pub(crate) const DESCRIPTORS_PER_BLOCK: u64 = BLOCK_SIZE / DESCRIPTOR_SIZE;

impl Geometry {
    /// Descriptor blocks that follow each superblock (`ext4_bg_num_gdb_nometa`).
    pub fn front_descriptor_blocks(&self) -> u64 {
        self.first_meta_bg.unwrap_or(self.descriptor_blocks)
    }

    /// Blocks that the superblock, descriptors and reserve take in each group that has all of them.
    pub fn super_span(&self) -> u64 {
        1 + self.front_descriptor_blocks() + self.reserved_blocks
    }

    /// Blocks at the group's start that a superblock and descriptors take (`ext4_num_base_meta_clusters`).
    pub fn super_blocks_in_group(&self, group: u64) -> u64 {
        if self.is_meta(group) {
            u64::from(has_super(group)) + u64::from(holds_descriptors(group))
        } else if has_super(group) {
            self.super_span()
        } else {
            0
        }
    }

    /// The groups that hold backups of the superblock and of the descriptors that follow it, ascending.
    pub fn full_backup_groups(&self) -> impl Iterator<Item = u64> + use<> {
        let end = self.first_meta_bg.map_or(u64::MAX, |first| first * DESCRIPTORS_PER_BLOCK);
        self.backup_groups().take_while(move |group| *group < end)
    }

    /// The block with the descriptors of metagroup `index` (`descriptor_loc`).
    pub fn descriptor_block(&self, index: u64) -> u64 {
        let first = index * DESCRIPTORS_PER_BLOCK;
        if self.is_meta(first) { own_descriptor_block(first) } else { 1 + index }
    }

    /// The copies of the block with the descriptors of metagroup `index`, ascending.
    pub fn descriptor_copies(&self, index: u64) -> Vec<u64> {
        let first = index * DESCRIPTORS_PER_BLOCK;
        if self.is_meta(first) {
            let groups = [first + 1, first + DESCRIPTORS_PER_BLOCK - 1].into_iter();
            groups.filter(|group| *group < self.group_count).map(own_descriptor_block).collect()
        } else {
            self.full_backup_groups().map(|group| group * BLOCKS_PER_GROUP + 1 + index).collect()
        }
    }

    /// Blocks that superblocks, descriptors and their reserve take in all groups together.
    pub(super) fn base_metadata(&self) -> u64 {
        let full = self.full_backup_groups().count() as u64;
        let alone = self.backup_groups().count() as u64 - full;
        let metagroups = self.front_descriptor_blocks()..self.descriptor_blocks;
        let own = metagroups.map(|index| 1 + self.descriptor_copies(index).len() as u64).sum::<u64>();
        (1 + full) * self.super_span() + alone + own
    }

    /// Whether the group's descriptor stands in its own metagroup.
    fn is_meta(&self, group: u64) -> bool {
        self.first_meta_bg.is_some_and(|first| group / DESCRIPTORS_PER_BLOCK >= first)
    }
}

/// Whether a group holds the block of its metagroup or a copy (`ext4_bg_num_gdb_meta`).
fn holds_descriptors(group: u64) -> bool {
    [0, 1, DESCRIPTORS_PER_BLOCK - 1].contains(&(group % DESCRIPTORS_PER_BLOCK))
}

/// Where such a group holds it: at its start, or behind its superblock.
fn own_descriptor_block(group: u64) -> u64 {
    group * BLOCKS_PER_GROUP + u64::from(has_super(group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Inodes;

    /// 9 GiB with a reserve.
    fn nine_gib() -> Geometry {
        Geometry::new(72 * BLOCKS_PER_GROUP, Inodes::usual(12), 33).unwrap()
    }

    /// One block of descriptors behind each superblock, and the others in their metagroups.
    fn meta(groups: u64) -> Geometry {
        Geometry {
            block_count: groups * BLOCKS_PER_GROUP,
            group_count: groups,
            descriptor_blocks: groups.div_ceil(DESCRIPTORS_PER_BLOCK),
            reserved_blocks: 0,
            first_meta_bg: Some(1),
            inodes_per_group: 8192,
        }
    }

    #[test]
    fn descriptors_behind_the_superblocks_have_a_copy_in_each_backup() {
        let geometry = nine_gib();
        assert_eq!((geometry.descriptor_block(0), geometry.descriptor_block(1)), (1, 2));
        let expected = [1, 3, 5, 7, 9, 25, 27, 49].map(|group| group * 32_768 + 2);
        assert_eq!(geometry.descriptor_copies(1), expected);
        assert_eq!([0, 1, 2, 49].map(|group| geometry.super_blocks_in_group(group)), [33, 33, 0, 33]);
    }

    #[test]
    fn a_metagroup_holds_its_descriptors_in_its_first_second_and_last_group() {
        let geometry = meta(192);
        assert_eq!(geometry.descriptor_block(0), 1);
        assert_eq!(geometry.descriptor_copies(0), [1, 3, 5, 7, 9, 25, 27, 49].map(|group| group * 32_768 + 1));
        assert_eq!(geometry.descriptor_block(1), 64 * 32_768);
        assert_eq!(geometry.descriptor_copies(1), [65 * 32_768, 127 * 32_768]);
        // 49, 81 and 125 hold superblocks; 81 and 125 without descriptors.
        let taken = [49, 63, 64, 65, 66, 81, 125, 127, 128].map(|group| geometry.super_blocks_in_group(group));
        assert_eq!(taken, [2, 0, 1, 1, 0, 1, 1, 1, 1]);
    }

    #[test]
    fn descriptors_stand_behind_a_superblock_in_the_same_group() {
        // The first group past the first metagroup that has both is 7^8, far beyond 16 TiB.
        let group = 7u64.pow(8);
        let geometry = meta(group + 1);
        assert_eq!(geometry.super_blocks_in_group(group), 2);
        assert_eq!(geometry.descriptor_copies(group / 64), [group * 32_768 + 1]);
    }

    #[test]
    fn copies_in_groups_that_do_not_exist_are_left_out() {
        assert!(meta(65).descriptor_copies(1).is_empty());
        assert_eq!(meta(66).descriptor_copies(1), [65 * 32_768]);
        assert_eq!(meta(127).descriptor_copies(1), [65 * 32_768]);
    }

    #[test]
    fn all_groups_together_have_the_base_metadata() {
        for geometry in [1, 64, 65, 66, 127, 128, 700].map(meta).into_iter().chain([nine_gib()]) {
            let by_group = (0..geometry.group_count).map(|group| geometry.super_blocks_in_group(group)).sum::<u64>();
            assert_eq!(geometry.base_metadata(), by_group, "{geometry:?}");
        }
    }
}
