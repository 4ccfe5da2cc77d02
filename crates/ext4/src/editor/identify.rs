//! Whether a file holds a file system that this crate can change: its superblock is ours, sound and at rest.

use crate::BLOCK_SIZE;
use crate::geometry::{BLOCKS_PER_GROUP, DESCRIPTOR_SIZE, Geometry, INODES_PER_BLOCK, MAX_BLOCKS};
use crate::geometry::{DESCRIPTORS_PER_BLOCK, MAX_INODES_PER_GROUP, MAX_RESERVED_GDT_BLOCKS};
use crate::inode::INODE_SIZE;
use crate::numbering;
use crate::storage::Storage;
use crate::superblock::{self, Superblock, compat, incompat, ro_compat};

use super::error::{EditError, while_trying};
use super::features;

/// What a dm-verity tree begins with.
const VERITY_SIGNATURE: [u8; 8] = *b"verity\0\0";

/// Reads the superblock, and checks its form and state.
pub(crate) fn superblock(storage: &dyn Storage) -> Result<Superblock, EditError> {
    if storage.size().map_err(while_trying("look at"))? < superblock::PRIMARY_OFFSET + superblock::SIZE as u64 {
        return Err(EditError::NotExt4);
    }
    let mut record = [0; superblock::SIZE];
    storage.read_at(&mut record, superblock::PRIMARY_OFFSET).map_err(while_trying("read from"))?;
    let (superblock, is_sealed) = Superblock::decode(&record);
    if superblock.magic != superblock::MAGIC {
        return Err(EditError::NotExt4);
    }
    if !is_sealed && superblock.ro_compat & ro_compat::METADATA_CSUM != 0 {
        return Err(EditError::damaged("the superblock's checksum is wrong"));
    }
    features::check(&superblock)?;
    check_form(&superblock)?;
    check_state(&superblock)?;
    Ok(superblock)
}

/// What the writer gives every file system, and growth keeps.
fn check_form(superblock: &Superblock) -> Result<(), EditError> {
    let block_size = superblock::LOG_BLOCK_SIZE;
    let fields = [
        ("its revision (s_rev_level)", superblock.revision, superblock::REVISION_DYNAMIC),
        ("its block size (s_log_block_size)", superblock.log_block_size, block_size),
        ("its cluster size (s_log_cluster_size)", superblock.log_cluster_size, block_size),
        ("its first block (s_first_data_block)", superblock.first_data_block, 0),
        ("its blocks per group (s_blocks_per_group)", superblock.blocks_per_group, BLOCKS_PER_GROUP as u32),
        ("its clusters per group (s_clusters_per_group)", superblock.clusters_per_group, BLOCKS_PER_GROUP as u32),
        ("its inode size (s_inode_size)", superblock.inode_size.into(), INODE_SIZE as u32),
        ("its descriptor size (s_desc_size)", superblock.descriptor_size.into(), DESCRIPTOR_SIZE as u32),
        ("its first inode (s_first_ino)", superblock.first_inode, numbering::LOST_AND_FOUND),
        ("its checksums (s_checksum_type)", superblock.checksum_type.into(), superblock::CHECKSUM_TYPE.into()),
        ("its journal's device (s_journal_dev)", superblock.journal_device, 0),
    ];
    for (what, found, ours) in fields {
        if found != ours {
            return Err(EditError::foreign(format!("{what} is {found} and not {ours}")));
        }
    }
    let journal = superblock.journal_inode;
    if superblock.compat & compat::HAS_JOURNAL != 0 && journal != numbering::JOURNAL {
        return Err(EditError::foreign(format!("its journal (s_journal_inum) is inode {journal}")));
    }
    Ok(())
}

/// At rest: nobody has it mounted, and nothing is left to be repaired.
fn check_state(superblock: &Superblock) -> Result<(), EditError> {
    if superblock.state & superblock::STATE_ERRORS != 0 {
        return Err(EditError::damaged("the kernel found errors in it"));
    }
    if superblock.incompat & incompat::RECOVER != 0 {
        return Err(EditError::NeedsRecovery);
    }
    if superblock.state != superblock::STATE_CLEAN || superblock.last_orphan != 0 {
        return Err(EditError::NotClean);
    }
    Ok(())
}

/// The geometry, when the superblock's numbers agree with each other and with the file.
pub(crate) fn geometry(superblock: &Superblock, storage: &dyn Storage) -> Result<Geometry, EditError> {
    let block_count = superblock.blocks_count;
    if block_count == 0 || block_count > MAX_BLOCKS {
        return Err(EditError::foreign(format!("its size (s_blocks_count) is {block_count} blocks")));
    }
    let group_count = block_count.div_ceil(BLOCKS_PER_GROUP);
    let descriptor_blocks = group_count.div_ceil(DESCRIPTORS_PER_BLOCK);
    let inodes_per_group = superblock.inodes_per_group;
    if inodes_per_group == 0
        || inodes_per_group > MAX_INODES_PER_GROUP
        || !u64::from(inodes_per_group).is_multiple_of(INODES_PER_BLOCK)
    {
        return Err(EditError::foreign(format!("its inodes per group (s_inodes_per_group) are {inodes_per_group}")));
    }
    let geometry = Geometry {
        block_count,
        group_count,
        descriptor_blocks,
        reserved_blocks: superblock.reserved_descriptor_blocks.into(),
        first_meta_bg: (superblock.incompat & incompat::META_BG != 0).then_some(superblock.first_meta_bg.into()),
        inodes_per_group,
    };
    let disagreeing = [
        (geometry.inode_count() != u64::from(superblock.inodes_count), "s_inodes_count"),
        (geometry.reserved_blocks > MAX_RESERVED_GDT_BLOCKS, "s_reserved_gdt_blocks"),
        (geometry.front_descriptor_blocks() > descriptor_blocks, "s_first_meta_bg"),
        (geometry.super_span() >= block_count.min(BLOCKS_PER_GROUP), "s_reserved_gdt_blocks"),
        (superblock.free_blocks > block_count, "s_free_blocks_count"),
        (superblock.reserved_blocks > block_count, "s_r_blocks_count"),
        (superblock.free_inodes > superblock.inodes_count, "s_free_inodes_count"),
    ];
    if let Some((_, field)) = disagreeing.into_iter().find(|(disagrees, _)| *disagrees) {
        return Err(EditError::damaged(format!("the superblock's {field} disagrees with the file system's size")));
    }
    check_file(storage, block_count * BLOCK_SIZE)?;
    Ok(geometry)
}

/// The file holds all of a file system of `size` bytes, and no seal behind it.
fn check_file(storage: &dyn Storage, size: u64) -> Result<(), EditError> {
    let length = storage.size().map_err(while_trying("look at"))?;
    if length < size {
        return Err(EditError::CutOff { length, size });
    }
    let mut behind = [0; VERITY_SIGNATURE.len()];
    if length - size >= behind.len() as u64 {
        storage.read_at(&mut behind, size).map_err(while_trying("read from"))?;
    }
    if behind == VERITY_SIGNATURE { Err(EditError::Sealed) } else { Ok(()) }
}
