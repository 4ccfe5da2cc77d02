//! The block bitmap of a group: read and checked, or made where the group has none yet.

use crate::bitmap::{self, Bitmap};
use crate::csum;
use crate::group_descriptor::BLOCK_UNINIT;

use super::{EditError, Editor};

impl Editor<'_> {
    /// The block bitmap of a group. Where none is written (`BLOCK_UNINIT`), the one that the kernel would make.
    pub(crate) fn block_bitmap(&self, group: u64) -> Result<Box<Bitmap>, EditError> {
        let descriptor = &self.descriptors[group as usize];
        let blocks = self.geometry.group_blocks(group);
        let bitmap = if descriptor.flags & BLOCK_UNINIT != 0 {
            self.uninitialised_bitmap(group)
        } else {
            let bitmap = self.block(descriptor.block_bitmap)?;
            if csum::bitmap(self.seed, &bitmap[..]) != descriptor.block_bitmap_checksum {
                return Err(EditError::damaged(format!("the checksum of group {group}'s block bitmap is wrong")));
            }
            bitmap
        };
        let free = bitmap::free_runs(&bitmap, blocks).iter().map(|run| run.end - run.start).sum::<u64>();
        if free != u64::from(descriptor.free_blocks) {
            return Err(EditError::damaged(format!(
                "group {group} has {free} free blocks, and its descriptor counts {}",
                descriptor.free_blocks
            )));
        }
        Ok(bitmap)
    }

    /// In use is what stands at the group's start, and of the group's own metadata what stands in the group
    /// (`ext4_init_block_bitmap`).
    fn uninitialised_bitmap(&self, group: u64) -> Box<Bitmap> {
        let descriptor = &self.descriptors[group as usize];
        let blocks = self.geometry.group_blocks(group);
        let one = |block: u64| block..block + 1;
        let table = descriptor.inode_table..descriptor.inode_table + self.geometry.table_blocks();
        let base = blocks.start..blocks.start + self.geometry.super_blocks_in_group(group);
        let used = [base, one(descriptor.block_bitmap), one(descriptor.inode_bitmap), table];
        let within = used.into_iter().map(|run| run.start.max(blocks.start)..run.end.min(blocks.end));
        Box::new(bitmap::block_bitmap(blocks.clone(), within.filter(|run| run.start < run.end)))
    }
}
