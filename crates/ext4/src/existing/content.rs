//! The bytes of an inode: through its extent tree, or out of the inode itself.

use crate::BLOCK_SIZE;
use crate::inode::{EXTENTS_FL, I_BLOCK_SIZE, RawInode};

use super::error::while_trying;
use super::{BLOCK, EditError, FileSystem};

/// The longest target of a symbolic link, in bytes.
const MAX_TARGET: u64 = 4095;

impl FileSystem<'_> {
    /// At most `limit` bytes of a file's content. Holes and what is not written are zeros.
    pub(crate) fn content(&self, number: u32, inode: &RawInode, limit: u64) -> Result<Vec<u8>, EditError> {
        let length = usize::try_from(inode.size.min(limit)).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        for mapped in self.mapping(number, inode)?.extents {
            let start = mapped.extent.logical as usize * BLOCK;
            let end = length.min(start + mapped.extent.length as usize * BLOCK);
            if start >= end || mapped.unwritten {
                continue;
            }
            bytes.resize(end, 0);
            let at = mapped.extent.physical * BLOCK_SIZE;
            self.storage.read_at(&mut bytes[start..end], at).map_err(while_trying("read from"))?;
        }
        bytes.resize(length, 0);
        Ok(bytes)
    }

    /// Where a symbolic link leads to.
    pub(crate) fn target(&self, number: u32, inode: &RawInode) -> Result<Vec<u8>, EditError> {
        let is_fast = inode.flags & EXTENTS_FL == 0;
        let longest = if is_fast { I_BLOCK_SIZE as u64 - 1 } else { MAX_TARGET };
        if inode.size == 0 || inode.size > longest {
            return Err(EditError::damaged(format!(
                "the symbolic link of inode {number} has a target of no legal length"
            )));
        }
        if is_fast { Ok(inode.block[..inode.size as usize].to_vec()) } else { self.content(number, inode, longest) }
    }
}
