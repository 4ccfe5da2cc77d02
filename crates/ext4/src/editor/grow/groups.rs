//! The groups that are new.
//!
//! Each new group has its bitmaps and its table at its own start, behind what it may hold of superblock and descriptors.
//! So nothing has to be written for it: the kernel makes the bitmap of a group that uses no other blocks
//! (`ext4_init_block_bitmap`), and a table of zeros is a hole. Only the last group must have its bitmap.

use crate::bitmap::{Bitmap, block_bitmap};
use crate::geometry::{BLOCKS_PER_GROUP, Geometry};
use crate::group_descriptor::{BLOCK_UNINIT, GroupDescriptor, INODE_UNINIT, INODE_ZEROED};

/// The descriptor of a new group whose block bitmap is not written; the last group's must be.
pub(crate) fn new_group(geometry: &Geometry, group: u64) -> GroupDescriptor {
    let block_bitmap = group * BLOCKS_PER_GROUP + geometry.super_blocks_in_group(group);
    let inode_bitmap = block_bitmap + 1;
    let inode_table = inode_bitmap + 1;
    let first_free = inode_table + geometry.table_blocks();
    GroupDescriptor {
        block_bitmap,
        inode_bitmap,
        inode_table,
        free_blocks: (geometry.group_blocks(group).end - first_free) as u32,
        free_inodes: geometry.inodes_per_group,
        unused_inodes: geometry.inodes_per_group,
        flags: INODE_ZEROED | INODE_UNINIT | BLOCK_UNINIT,
        ..GroupDescriptor::default()
    }
}

/// The block bitmap of a group that holds nothing but its own metadata.
pub(crate) fn initial_bitmap(geometry: &Geometry, group: u64, descriptor: &GroupDescriptor) -> Bitmap {
    let blocks = geometry.group_blocks(group);
    let first_free = descriptor.inode_table + geometry.table_blocks();
    block_bitmap(blocks.clone(), std::iter::once(blocks.start..first_free))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Inodes;

    const GROUP: u64 = BLOCKS_PER_GROUP;

    fn geometry(blocks: u64) -> Geometry {
        Geometry::new(blocks, Inodes::usual(12), 33).unwrap()
    }

    /// Blocks of the group that the bitmap says are free.
    fn free(bitmap: &Bitmap) -> u32 {
        bitmap.iter().map(|byte| byte.count_zeros()).sum()
    }

    #[test]
    fn a_new_group_holds_its_own_metadata_behind_a_backup() {
        let geometry = geometry(10 * GROUP);
        let (plain, backup) = (new_group(&geometry, 8), new_group(&geometry, 9));
        assert_eq!(
            (plain.block_bitmap, plain.inode_bitmap, plain.inode_table),
            (8 * GROUP, 8 * GROUP + 1, 8 * GROUP + 2)
        );
        assert_eq!(plain.free_blocks, 32_768 - 514);
        assert_eq!((backup.block_bitmap, backup.free_blocks), (9 * GROUP + 33, 32_768 - 514 - 33));
    }

    #[test]
    fn the_bitmap_of_a_new_last_group_has_as_many_free_blocks_as_its_descriptor() {
        for blocks in [8 * GROUP + 600, 9 * GROUP, 9 * GROUP + 700, 10 * GROUP] {
            let geometry = geometry(blocks);
            let descriptor = new_group(&geometry, geometry.group_count - 1);
            let bitmap = initial_bitmap(&geometry, geometry.group_count - 1, &descriptor);
            assert_eq!(free(&bitmap), descriptor.free_blocks, "{blocks}");
        }
    }
}
