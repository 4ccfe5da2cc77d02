//! Content that stands in the inode itself (`inline_data`): in `i_block`, and what does not fit there in the value of the
//! attribute `system.data`.

use crate::inode::I_BLOCK_SIZE;
use crate::read_at::ReadAt;

use super::{Error, Inode, Reader, xattr};

impl<S: ReadAt> Reader<S> {
    /// The two parts of it, cut to the inode's size.
    pub(super) fn inline_parts(&self, inode: &Inode) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let behind = xattr::inline_data(inode)?.unwrap_or_default();
        let size = usize::try_from(inode.size).unwrap_or(usize::MAX);
        if size > I_BLOCK_SIZE + behind.len() {
            let number = inode.number;
            return Err(Error::damaged(format!("inode {number} holds less of its content than its size says")));
        }
        let in_block = &inode.raw.block[..size.min(I_BLOCK_SIZE)];
        let behind = &behind[..size.saturating_sub(I_BLOCK_SIZE)];
        Ok((in_block.to_vec(), behind.to_vec()))
    }

    /// All of it.
    pub(super) fn inline_content(&self, inode: &Inode) -> Result<Vec<u8>, Error> {
        let (mut content, behind) = self.inline_parts(inode)?;
        content.extend(behind);
        Ok(content)
    }
}
