//! What the superblock says of a file system that has grown.

use crate::BLOCK_SIZE;
use crate::editor::{EditError, Editor};
use crate::geometry::Geometry;
use crate::numbering;
use crate::superblock::{Superblock, compat, incompat};

/// The superblock of the file system grown to the geometry `new`; `gained` blocks are free now and were not.
///
/// Nothing says when it grew: the same growth gives the same bytes.
pub(crate) fn grown_superblock(existing: &Editor, new: &Geometry, gained: u64) -> Result<Superblock, EditError> {
    let (was, old) = (&existing.superblock, &existing.geometry);
    let new_inodes = new.inode_count() - old.inode_count();
    let mut superblock = Superblock {
        blocks_count: new.block_count,
        inodes_count: new.inode_count() as u32,
        free_blocks: existing.free_blocks() + gained,
        free_inodes: existing.free_inodes().saturating_add(new_inodes as u32),
        reserved_blocks: same_part(was.reserved_blocks, old.block_count, new.block_count),
        reserved_descriptor_blocks: new.reserved_blocks as u16,
        overhead: u32::try_from(new.overhead(journal_blocks(existing)?)).unwrap_or(0),
        ..was.clone()
    };
    if let Some(first) = new.first_meta_bg {
        superblock.compat &= !compat::RESIZE_INODE;
        superblock.incompat |= incompat::META_BG;
        superblock.first_meta_bg = first as u32;
    }
    Ok(superblock)
}

/// Root's blocks stay the same part of the whole.
fn same_part(reserved: u64, old: u64, new: u64) -> u64 {
    (u128::from(reserved) * u128::from(new) / u128::from(old)) as u64
}

fn journal_blocks(existing: &Editor) -> Result<u64, EditError> {
    if existing.superblock.compat & compat::HAS_JOURNAL == 0 {
        return Ok(0);
    }
    Ok(existing.inode(numbering::JOURNAL)?.size / BLOCK_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_blocks_stay_the_same_part_of_the_whole() {
        assert_eq!(same_part(0, 38_400, 1 << 32), 0);
        assert_eq!(same_part(1920, 38_400, 76_800), 3840);
        assert_eq!(same_part(1 << 31, 1 << 32, 1 << 32), 1 << 31);
    }
}
