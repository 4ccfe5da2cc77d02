//! Blocks that a change is about to write to or to free are none that belong to another part of the file system.
//!
//! A bitmap, an extent or the superblock may say otherwise under a right checksum; acting on it would destroy the file
//! system (`ext4_inode_block_valid`).

use std::ops::Range;

use super::transaction::Log;
use super::{EditError, Editor};
use crate::bitmap;
use crate::geometry::BLOCKS_PER_GROUP;
use crate::usage::Usage;

impl Editor<'_> {
    /// None of these blocks is metadata or the journal's.
    pub(crate) fn check_foreign(&self, blocks: &Usage, log: Option<&Log>) -> Result<(), EditError> {
        if self.fronts().all(|front| is_free_of(blocks, front)) {
            self.check_tables(blocks, log)
        } else {
            Err(foreign())
        }
    }

    /// The blocks where superblocks, descriptors and their reserve stand are in use, and nobody else's. `resize` is the
    /// block of the resize inode.
    pub(crate) fn check_fronts(&self, resize: Option<u64>, log: Option<&Log>) -> Result<(), EditError> {
        let runs = self.fronts().chain(resize.map(|block| block..block + 1));
        let blocks = Usage::new(runs.clone().collect()).map_err(|_| foreign())?;
        self.check_tables(&blocks, log)?;
        for run in runs {
            let group = run.start / BLOCKS_PER_GROUP;
            let free = bitmap::free_runs(&*self.block_bitmap(group)?, self.geometry.group_blocks(group));
            if free.iter().any(|free| free.start < run.end && run.start < free.end) {
                return Err(foreign());
            }
        }
        Ok(())
    }

    /// What stands at the groups' starts, where anything does.
    fn fronts(&self) -> impl Iterator<Item = Range<u64>> + Clone {
        let front =
            |group| group * BLOCKS_PER_GROUP..group * BLOCKS_PER_GROUP + self.geometry.super_blocks_in_group(group);
        (0..self.geometry.group_count).map(front).filter(|run| !run.is_empty())
    }

    /// None of these blocks is a group's bitmap, of its inode table, or the journal's.
    fn check_tables(&self, blocks: &Usage, log: Option<&Log>) -> Result<(), EditError> {
        let table_blocks = self.geometry.table_blocks();
        let right = self.descriptors.iter().all(|descriptor| {
            is_free_of(blocks, descriptor.block_bitmap..descriptor.block_bitmap + 1)
                && is_free_of(blocks, descriptor.inode_bitmap..descriptor.inode_bitmap + 1)
                && is_free_of(blocks, descriptor.inode_table..descriptor.inode_table + table_blocks)
        });
        let right = right && log.is_none_or(|log| log.runs().all(|run| is_free_of(blocks, run)));
        if right { Ok(()) } else { Err(foreign()) }
    }
}

fn is_free_of(blocks: &Usage, run: Range<u64>) -> bool {
    run.is_empty() || blocks.within(run).next().is_none()
}

pub(crate) fn foreign() -> EditError {
    EditError::damaged("blocks of metadata are free, or belong to a file")
}
