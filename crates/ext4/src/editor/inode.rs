//! One inode of an existing file system.

use crate::geometry::INODES_PER_BLOCK;
use crate::inode::{EXTRA_SIZE, INODE_SIZE, RawInode};

use super::{EditError, Editor};

/// Where an inode stands: a block, and the offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InodePlace {
    pub block: u64,
    pub offset: usize,
}

impl Editor<'_> {
    /// Where the inode of this number stands.
    pub(crate) fn inode_place(&self, number: u32) -> Result<InodePlace, EditError> {
        let index = number.checked_sub(1).filter(|index| u64::from(*index) < self.geometry.inode_count());
        let index =
            index.ok_or_else(|| EditError::damaged(format!("a name leads to inode {number}, which is none")))?;
        let (group, place) = (index / self.geometry.inodes_per_group, index % self.geometry.inodes_per_group);
        let table = self.descriptors[group as usize].inode_table;
        let (block, place) = (u64::from(place) / INODES_PER_BLOCK, u64::from(place) % INODES_PER_BLOCK);
        Ok(InodePlace { block: table + block, offset: place as usize * INODE_SIZE })
    }

    /// Reads an inode that is in use.
    pub(crate) fn inode(&self, number: u32) -> Result<RawInode, EditError> {
        let place = self.inode_place(number)?;
        let block = self.block(place.block)?;
        let record = block.as_chunks::<INODE_SIZE>().0[place.offset / INODE_SIZE];
        let inode = RawInode::decode(&record, number, self.seed)
            .ok_or_else(|| EditError::damaged(format!("the checksum of inode {number} is wrong")))?;
        if inode.links == 0 || inode.extra_size != EXTRA_SIZE {
            return Err(EditError::damaged(format!("inode {number} is not in use, or has no proper size")));
        }
        Ok(inode)
    }
}
