//! How many inodes each group has.

use super::{BLOCKS_PER_GROUP, INODES_PER_BLOCK, group_count};
use crate::BLOCK_SIZE;

/// One inode for every 16 KiB of a full group, as mke2fs does. Counted for full groups even when the only group is a
/// partial one: the number is kept when the file system grows.
pub(crate) const DEFAULT_INODES_PER_GROUP: u32 = (BLOCKS_PER_GROUP * BLOCK_SIZE / (16 << 10)) as u32;
/// As many inodes per group as a bitmap of one block can describe.
pub(crate) const MAX_INODES_PER_GROUP: u32 = BLOCKS_PER_GROUP as u32;

/// How many inodes a file system needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inodes {
    /// Those in use, the reserved ones included.
    pub in_use: u64,
    /// How many there shall be at least; `None` is the usual ratio, or more when the tree needs more, with a quarter to
    /// spare as far as the format allows.
    pub wanted: Option<u64>,
}

impl Inodes {
    /// So many in use, and the usual number in all.
    #[cfg(test)]
    pub fn usual(in_use: u64) -> Self {
        Self { in_use, wanted: None }
    }

    /// How many there must be.
    pub fn least(self) -> u64 {
        self.in_use.max(self.wanted.unwrap_or(0))
    }

    /// `s_inodes_per_group`; `None` when so few groups cannot hold so many.
    pub(super) fn per_group(self, groups: u64) -> Option<u32> {
        let limit = max_inodes_per_group(groups);
        let rounded = |inodes: u64| inodes.div_ceil(groups).next_multiple_of(INODES_PER_BLOCK);
        let least = rounded(self.least());
        if least > limit {
            return None;
        }
        let per_group = match self.wanted {
            Some(_) => least,
            None => rounded(self.in_use + self.in_use / 4).max(u64::from(DEFAULT_INODES_PER_GROUP)).min(limit),
        };
        u32::try_from(per_group).ok()
    }
}

/// The smallest file system, in blocks, whose groups can hold so many inodes.
pub(crate) fn min_blocks(inodes: u64) -> u64 {
    inodes.div_ceil(u64::from(MAX_INODES_PER_GROUP)).saturating_sub(1) * BLOCKS_PER_GROUP
}

/// The most inodes that a file system of so many blocks can have: what the bitmaps of its groups can describe, and 32
/// bits can number.
pub(crate) fn max_inodes(blocks: u64) -> u64 {
    let groups = group_count(blocks).max(1);
    groups * max_inodes_per_group(groups)
}

fn max_inodes_per_group(groups: u64) -> u64 {
    u64::from(MAX_INODES_PER_GROUP).min(u64::from(u32::MAX) / groups / INODES_PER_BLOCK * INODES_PER_BLOCK)
}

#[cfg(test)]
mod tests {
    use super::super::{Geometry, MAX_BLOCKS};
    use super::*;

    #[test]
    fn inodes_are_counted_for_full_groups_and_bounded_by_a_bitmap() {
        assert_eq!(Geometry::new(4096, Inodes::usual(12), 33).unwrap().inodes_per_group, 8192);
        assert_eq!(Geometry::new(4096, Inodes::usual(20_000), 33).unwrap().inodes_per_group, 25_008);
        assert_eq!(Geometry::new(4096, Inodes::usual(32_768), 33).unwrap().inodes_per_group, 32_768);
        assert_eq!(Geometry::new(4096, Inodes::usual(32_769), 33), None);
    }

    #[test]
    fn wanted_inodes_take_the_place_of_the_ratio() {
        let geometry = |groups: u64, wanted| {
            let inodes = Inodes { in_use: 12, wanted: Some(wanted) };
            Geometry::new(groups * BLOCKS_PER_GROUP, inodes, 33).map(|geometry| geometry.inode_count())
        };
        assert_eq!(geometry(1, 0), Some(16), "what is in use has room in any case");
        assert_eq!(geometry(1, 1000), Some(1008), "tables have whole blocks of 16");
        assert_eq!(geometry(3, 1000), Some(3 * 336));
        assert_eq!(geometry(2, 65_536), Some(65_536));
        assert_eq!(geometry(2, 65_537), None);
        assert_eq!(min_blocks(65_537), 2 * BLOCKS_PER_GROUP);
        assert_eq!(max_inodes(2 * BLOCKS_PER_GROUP), 65_536);
        assert_eq!(max_inodes(MAX_BLOCKS), u64::from(MAX_INODES_PER_GROUP - 16) * (1 << 17), "inodes have 32 bits");
    }
}
