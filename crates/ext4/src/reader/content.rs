//! The bytes of files, and the targets of symbolic links.

use crate::file_type::FileType;
use crate::inode::{ENCRYPT_FL, I_BLOCK_SIZE, INLINE_DATA_FL};
use crate::read_at::ReadAt;
use crate::superblock::incompat;

use super::{Error, Inode, Reader};

/// The longest target of a symbolic link (`PATH_MAX` without the NUL), in bytes.
const LONGEST_TARGET: u64 = 4095;

impl<S: ReadAt> Reader<S> {
    /// Fills `buffer` with the bytes of a regular file from `offset` on, and tells how many there were: fewer than asked
    /// for only at the file's end. Holes and what is not written are zeros.
    ///
    /// # Errors
    /// When it is no regular file, is encrypted or damaged, or the host cannot read.
    pub fn read(&self, file: &Inode, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        if file.file_type != FileType::Regular {
            return Err(Error::damaged(format!("inode {} is no regular file", file.number)));
        }
        self.fill(file, offset, buffer)
    }

    /// At most `limit` bytes of a regular file, from its start on.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn content(&self, file: &Inode, limit: u64) -> Result<Vec<u8>, Error> {
        let length = file.size.min(limit);
        // Memory follows the size that the inode claims, so that is paid first.
        self.remaining.check_bytes(length)?;
        let length = usize::try_from(length).map_err(|_| Error::unsupported(format!("a file of {length} bytes")))?;
        let mut bytes = vec![0; length];
        let count = self.read(file, 0, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Where a symbolic link leads to.
    ///
    /// # Errors
    /// When it is no symbolic link, is encrypted or damaged, or the host cannot read.
    pub fn read_link(&self, link: &Inode) -> Result<Vec<u8>, Error> {
        let number = link.number;
        if link.file_type != FileType::Symlink {
            return Err(Error::damaged(format!("inode {number} is no symbolic link")));
        }
        let is_fast = self.is_fast_symlink(link);
        let longest = if is_fast { I_BLOCK_SIZE as u64 - 1 } else { LONGEST_TARGET };
        if link.size == 0 || link.size > longest {
            return Err(Error::damaged(format!("the symbolic link of inode {number} has a target of no legal length")));
        }
        let mut target = vec![0; link.size as usize];
        if is_fast && !link.has_flag(ENCRYPT_FL) {
            target.copy_from_slice(&link.raw.block[..link.size as usize]);
        } else {
            self.fill(link, 0, &mut target)?;
        }
        if target.contains(&0) {
            return Err(Error::damaged(format!("the target of the symbolic link of inode {number} has a NUL in it")));
        }
        Ok(target)
    }

    /// Whether the target stands in `i_block` (`ext4_inode_is_fast_symlink`).
    fn is_fast_symlink(&self, link: &Inode) -> bool {
        if link.has_flag(INLINE_DATA_FL) {
            return false;
        }
        if self.superblock.has_incompat(incompat::EA_INODE) {
            return link.size < I_BLOCK_SIZE as u64;
        }
        let cluster = self.superblock.block_size * self.superblock.cluster_blocks;
        let attributes = if self.attribute_block(link) != 0 { cluster } else { 0 };
        link.allocated == attributes
    }

    /// The same for any inode with content.
    pub(super) fn fill(&self, inode: &Inode, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        if inode.has_flag(ENCRYPT_FL) {
            let number = inode.number;
            return Err(Error::unsupported(format!("the content of inode {number} is encrypted (encrypt)")));
        }
        let length = inode.size.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let buffer = &mut buffer[..length];
        self.remaining.spend_bytes(length as u64)?;
        if inode.has_flag(INLINE_DATA_FL) {
            let content = self.inline_content(inode)?;
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
            buffer.copy_from_slice(&content[from..][..length]);
            return Ok(length);
        }
        let block_size = self.superblock.block_size;
        let mut done = 0;
        while done < length {
            let at = offset + done as u64;
            let (logical, within) = (at / block_size, at % block_size);
            let run = self.run(inode, logical)?;
            let bytes = run.length.saturating_mul(block_size) - within;
            let count = bytes.min((length - done) as u64) as usize;
            let part = &mut buffer[done..done + count];
            match run.start {
                Some(start) => self.storage.read_at(part, start * block_size + within)?,
                None => part.fill(0),
            }
            done += count;
        }
        Ok(length)
    }
}
