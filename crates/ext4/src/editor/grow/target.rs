//! The geometry that a file system grows into: pure functions of the one that it has.
//!
//! What was fixed when it was made stays: inodes per group, and how many blocks superblock, descriptors and reserve take
//! together. New descriptor blocks come out of the reserve; when that does not do, all of it becomes descriptor blocks,
//! and those past it stand in their metagroups, as the kernel does it (`ext4_convert_meta_bg`).

use crate::geometry::{BLOCKS_PER_GROUP, Geometry, LAST_GROUP_MIN_FREE, MAX_BLOCKS, descriptor_blocks, group_count};

/// The most blocks that the file system can grow to: 16 TiB, or as many groups as 32 bits can number the inodes of.
pub(crate) fn max_blocks(old: &Geometry) -> u64 {
    let groups = u64::from(u32::MAX) / u64::from(old.inodes_per_group);
    MAX_BLOCKS.min(groups * BLOCKS_PER_GROUP)
}

/// The geometry of at most `blocks` blocks, which are more than now and at most [`max_blocks`]. A new last group that
/// could not even hold its own metadata is left off, as in a new file system; nothing may be left then that grows.
pub(crate) fn grown(old: &Geometry, blocks: u64) -> Geometry {
    let whole = with_block_count(old, blocks);
    let last = whole.blocks_in_group(whole.group_count - 1);
    if whole.group_count == old.group_count || last >= whole.overhead_of_last_group() + LAST_GROUP_MIN_FREE {
        return whole;
    }
    with_block_count(old, blocks - last)
}

fn with_block_count(old: &Geometry, block_count: u64) -> Geometry {
    let group_count = group_count(block_count);
    let descriptor_blocks = descriptor_blocks(group_count);
    let room = old.front_descriptor_blocks() + old.reserved_blocks;
    let (first_meta_bg, reserved_blocks) = match old.first_meta_bg {
        Some(first) => (Some(first), old.reserved_blocks),
        None if descriptor_blocks <= room => (None, room - descriptor_blocks),
        None => (Some(room), 0),
    };
    Geometry { block_count, group_count, descriptor_blocks, reserved_blocks, first_meta_bg, ..*old }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Inodes;

    const GROUP: u64 = BLOCKS_PER_GROUP;
    /// Bitmaps and table of a group, and what must be left behind them.
    const LEAST: u64 = 2 + 512 + LAST_GROUP_MIN_FREE;

    fn new(blocks: u64, span: u64) -> Geometry {
        Geometry::new(blocks, Inodes::usual(12), span).unwrap()
    }

    #[test]
    fn within_the_reserve_it_equals_a_new_one_of_the_same_size() {
        for blocks in [16_385, GROUP, GROUP + 600, 65 * GROUP, 72 * GROUP, 2048 * GROUP] {
            assert_eq!(grown(&new(16_384, 33), blocks), new(blocks, 33), "{blocks}");
        }
    }

    #[test]
    fn past_the_reserve_all_of_it_becomes_descriptors_and_the_span_stays() {
        let old = new(16_384, 3);
        let at_the_edge = grown(&old, 128 * GROUP);
        assert_eq!(
            (at_the_edge.descriptor_blocks, at_the_edge.reserved_blocks, at_the_edge.first_meta_bg),
            (2, 0, None)
        );
        for start in [&old, &at_the_edge] {
            let past = grown(start, 129 * GROUP);
            assert_eq!((past.descriptor_blocks, past.reserved_blocks, past.first_meta_bg), (3, 0, Some(2)));
            assert_eq!(past.super_span(), old.super_span());
            let again = grown(&past, 500 * GROUP);
            assert_eq!((again.descriptor_blocks, again.first_meta_bg), (8, Some(2)));
        }
    }

    #[test]
    fn it_does_not_matter_in_how_many_steps_it_grows() {
        let old = new(16_384, 5);
        for end in [GROUP, 65 * GROUP + LEAST, 257 * GROUP] {
            let steps = [20_000, GROUP + LEAST, 64 * GROUP, 200 * GROUP].into_iter().filter(|step| *step < end);
            let stepwise = steps.fold(old.clone(), |from, step| grown(&from, step));
            assert_eq!(grown(&stepwise, end), grown(&old, end));
        }
    }

    #[test]
    fn a_new_last_group_that_cannot_hold_its_own_metadata_is_left_off() {
        let old = new(2 * GROUP, 33);
        assert_eq!(grown(&old, 2 * GROUP + LEAST - 1), old);
        assert_eq!(grown(&old, 2 * GROUP + LEAST).group_count, 3);
        assert_eq!(grown(&old, 3 * GROUP + LEAST).block_count, 3 * GROUP, "a backup of 33 blocks comes first");
        assert_eq!(grown(&old, 3 * GROUP + LEAST + 33).group_count, 4);
        // Past the reserve a superblock stands alone: 81 = 3^4.
        let meta = grown(&new(2 * GROUP, 2), 81 * GROUP);
        assert_eq!(grown(&meta, 81 * GROUP + LEAST).block_count, 81 * GROUP);
        assert_eq!(grown(&meta, 81 * GROUP + LEAST + 1).group_count, 82);
    }

    #[test]
    fn the_last_group_that_is_there_grows_by_any_count() {
        let old = new(2 * GROUP + LEAST, 33);
        assert_eq!(grown(&old, 2 * GROUP + LEAST + 1).block_count, 2 * GROUP + LEAST + 1);
    }

    #[test]
    fn the_bound_is_16_tib_or_the_number_of_inodes() {
        assert_eq!(max_blocks(&new(GROUP, 33)), 1 << 32);
        let dense = Geometry { inodes_per_group: 32_768, ..new(GROUP, 33) };
        assert_eq!(max_blocks(&dense), 131_071 * GROUP);
        let largest = grown(&dense, max_blocks(&dense));
        assert!(largest.inode_count() <= u64::from(u32::MAX));
    }
}
