//! Grows a file system in place, offline.
//!
//! What is new goes behind the old end, where nothing refers to it. In this order, with a sync between the steps:
//!
//! 1. the file gets its new length, and what stands behind the old end is written: backups, descriptors in new places, the
//!    last group's bitmap. The old file system is as it was;
//! 2. what changes within the old file system is one [transaction](super::transaction), backups and superblock included:
//!    the descriptors in front, the old last group's bitmap, what the resize inode lists. Its commit makes the file system
//!    large, and whoever replays the journal after a stop finds either size.
//!
//! Without a journal, or with one too small to hold the transaction, the file system is marked as not clean until it is
//! done. The superblock's new counts come last, in one write, so that `e2fsck -f` finds the old size or the new one.

mod groups;
mod plan;
mod superblock;
mod target;

use super::error::while_trying;
use super::transaction::Transaction;
use super::{EditError, Editor};
use crate::BLOCK_SIZE;
use crate::geometry::Geometry;
use crate::superblock::Superblock;
use plan::Writes;

/// Bytes that are written at once where blocks follow one another.
const CHUNK: usize = 1 << 20;

/// What growth did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    /// The file's length in bytes.
    pub size: u64,
    /// The file system's blocks before, of 4,096 bytes each.
    pub old_block_count: u64,
    /// The file system's blocks now; as many as before when there was nothing to do. A last block group that could not
    /// even hold its own metadata is left off.
    pub block_count: u64,
    /// Blocks that are free.
    pub free_blocks: u64,
    /// Those of the free blocks that only root may fill.
    pub reserved_blocks: u64,
    /// Inodes that the file system could hold before.
    pub old_inode_count: u32,
    /// Inodes that the file system can hold.
    pub inode_count: u32,
    /// Inodes that are free.
    pub free_inodes: u32,
}

impl Editor<'_> {
    /// Grows the file system to `size` bytes of file, and makes the file so long, unless it is longer. What stands in the
    /// file behind the file system is lost.
    ///
    /// # Errors
    /// When the size is less than the file system has or more than it can have, it is damaged, or the host cannot write.
    /// The file system has its old size then, but for [`EditError::Unfinished`].
    pub fn grow(mut self, size: u64) -> Result<Grown, EditError> {
        let new = self.geometry_of(size)?;
        let old = (self.geometry.block_count, self.superblock.inodes_count);
        let length = self.storage.size().map_err(while_trying("look at"))?;
        if new == self.geometry {
            let superblock = self.superblock.clone();
            self.resize(size.max(length))?;
            return Ok(report(&superblock, old, size.max(length)));
        }
        let plan = plan::plan(&self, &new)?;
        let mut transaction = Transaction::default();
        plan.inside.iter().for_each(|(at, block)| transaction.set(*at, Box::new(**block)));
        let log = self.log()?.filter(|log| log.holds(plan.inside.len() + 1));

        let written = self.write_behind_the_end(&plan.outside, size.max(length));
        let prepared = written.and_then(|()| self.prepare(transaction, log, plan.superblock.clone()));
        let prepared = prepared.inspect_err(|_| {
            // The first error is the one to tell.
            let _ = self.resize(length);
        })?;
        self.carry_out(prepared, &[])?;
        Ok(report(&plan.superblock, old, size.max(length)))
    }

    /// The geometry that a file of `size` bytes has room for.
    fn geometry_of(&self, size: u64) -> Result<Geometry, EditError> {
        let max_size = target::max_blocks(&self.geometry) * BLOCK_SIZE;
        if size < self.size() {
            return Err(EditError::Shrink { size, current: self.size() });
        }
        if size > max_size {
            return Err(EditError::PastBound { size, max_size });
        }
        Ok(target::grown(&self.geometry, size / BLOCK_SIZE))
    }

    /// Writes what is new; all else behind the end is zeros, and holes, whatever stood there.
    fn write_behind_the_end(&self, writes: &Writes, length: u64) -> Result<(), EditError> {
        // A length that the host refuses changes nothing.
        self.resize(length)?;
        self.resize(self.size())?;
        self.resize(length)?;
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut next = 0;
        for (at, block) in writes {
            if *at != next || chunk.len() == CHUNK {
                self.write_chunk(&mut chunk, next)?;
            }
            chunk.extend_from_slice(&block[..]);
            next = at + 1;
        }
        self.write_chunk(&mut chunk, next)?;
        self.sync()
    }

    /// Writes the blocks of a chunk, the last of which stands before the block `end`.
    fn write_chunk(&self, chunk: &mut Vec<u8>, end: u64) -> Result<(), EditError> {
        if chunk.is_empty() {
            return Ok(());
        }
        let offset = end * BLOCK_SIZE - chunk.len() as u64;
        self.storage.write_at(chunk, offset).map_err(while_trying("write to"))?;
        chunk.clear();
        Ok(())
    }

    fn resize(&self, length: u64) -> Result<(), EditError> {
        self.storage.resize(length).map_err(while_trying("set the length of"))
    }
}

fn report(superblock: &Superblock, (old_block_count, old_inode_count): (u64, u32), size: u64) -> Grown {
    Grown {
        size,
        old_block_count,
        block_count: superblock.blocks_count,
        free_blocks: superblock.free_blocks,
        reserved_blocks: superblock.reserved_blocks,
        old_inode_count,
        inode_count: superblock.inodes_count,
        free_inodes: superblock.free_inodes,
    }
}
