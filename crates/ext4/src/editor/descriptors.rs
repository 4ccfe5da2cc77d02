//! The groups' descriptors, read and checked all at once: 64 bytes for each 128 MiB.

use crate::BLOCK_SIZE;
use crate::csum::Seed;
use crate::geometry::{DESCRIPTORS_PER_BLOCK, Geometry};
use crate::group_descriptor::{self, GroupDescriptor};
use crate::storage::Storage;

use super::BLOCK;
use super::error::{EditError, while_trying};

/// Reads the descriptors of all groups.
pub(crate) fn read(storage: &dyn Storage, geometry: &Geometry, seed: Seed) -> Result<Vec<GroupDescriptor>, EditError> {
    let mut descriptors = Vec::with_capacity(geometry.group_count as usize);
    for index in 0..geometry.descriptor_blocks {
        let at = geometry.descriptor_block(index);
        let mut block = [0; BLOCK];
        storage.read_at(&mut block, at * BLOCK_SIZE).map_err(while_trying("read from"))?;
        let groups = index * DESCRIPTORS_PER_BLOCK..geometry.group_count;
        for (group, record) in groups.zip(block.as_chunks::<{ group_descriptor::SIZE }>().0) {
            let descriptor = GroupDescriptor::decode(record, group, seed)
                .ok_or_else(|| EditError::damaged(format!("the checksum of group {group}'s descriptor is wrong")))?;
            check(&descriptor, geometry, group)?;
            descriptors.push(descriptor);
        }
    }
    Ok(descriptors)
}

/// Everything stands within the file system, and no count is larger than the group.
fn check(descriptor: &GroupDescriptor, geometry: &Geometry, group: u64) -> Result<(), EditError> {
    let is_within =
        |start: u64, length: u64| start > 0 && start.checked_add(length).is_some_and(|end| end <= geometry.block_count);
    let right = is_within(descriptor.block_bitmap, 1)
        && is_within(descriptor.inode_bitmap, 1)
        && is_within(descriptor.inode_table, geometry.table_blocks())
        && u64::from(descriptor.free_blocks) <= geometry.blocks_in_group(group)
        && descriptor.free_inodes <= geometry.inodes_per_group
        && descriptor.unused_inodes <= geometry.inodes_per_group;
    if right { Ok(()) } else { Err(EditError::damaged(format!("group {group}'s descriptor makes no sense"))) }
}
