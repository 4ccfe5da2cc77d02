//! What a kernel refuses to mount with, and reading does not need.

use crate::file_type::FileType;
use crate::numbering;
use crate::read_at::ReadAt;
use crate::superblock::{self, Superblock as Record, compat, incompat, ro_compat};

use super::superblock::SMALLEST_INODE;
use super::{Error, Reader, Recovery, Superblock, zones};

/// `EXT4_OS_HURD`, as the creator of a file system.
const HURD: u32 = 1;
/// The last hash of names that a file system can have by default: `DX_HASH_TEA_UNSIGNED`.
const LAST_HASH: u8 = 5;
/// The only table of names in any case (`EXT4_ENC_UTF8_12_1`).
const UTF8_12_1: u16 = 1;
/// The largest cluster has 1 GiB (`EXT4_MAX_CLUSTER_LOG_SIZE`); the field counts from 1 KiB.
const LARGEST_CLUSTER: u32 = 30 - 10;
/// From so many groups on, a flexible group is none (`ext4_mb_init_backend`); the field is the logarithm.
const LARGEST_FLEXIBLE_GROUP: u8 = 31;
/// `EXT4_GOOD_OLD_FIRST_INO`
const LEAST_FIRST_INODE: u32 = 11;

impl<S: ReadAt> Reader<S> {
    /// Checks what a kernel checks before it mounts the file system, beyond what is needed to read it: the rest of the
    /// superblock, the places of the groups' metadata, the journal even when nothing waits in it, and the root directory.
    ///
    /// # Errors
    /// When a kernel refuses to mount it. [`Error::Unsupported`] says that the file alone does not tell: its journal stands on
    /// another device.
    pub fn check_mount(&self) -> Result<(), Error> {
        let wrong = wrong_field(&self.superblock, &self.record);
        if let Some(field) = wrong {
            return Err(Error::damaged(format!("the superblock's {field} is none that a file system can have")));
        }
        zones::check(self)?;
        if self.superblock.has_compat(compat::HAS_JOURNAL) {
            self.check_journal()?;
        }
        // The root directory is what the journal makes of it.
        match self.recovery {
            Recovery::NotDone | Recovery::Done => self.check_root(),
            Recovery::WithoutFastCommits | Recovery::Failed(_) => Ok(()),
        }
    }

    /// The root directory is one, and has blocks (`ext4_fill_super`).
    fn check_root(&self) -> Result<(), Error> {
        let root = self.inode(numbering::ROOT)?;
        if root.file_type != FileType::Directory || root.allocated == 0 || root.size == 0 {
            return Err(Error::damaged(format!(
                "inode {}, the root directory, is no directory with blocks",
                root.number
            )));
        }
        Ok(())
    }
}

/// The first field of the superblock that no kernel mounts with.
fn wrong_field(superblock: &Superblock, record: &Record) -> Option<&'static str> {
    let block_size = superblock.block_size;
    let has_extra_size = superblock.has_ro_compat(ro_compat::EXTRA_ISIZE) && superblock.inode_size > SMALLEST_INODE;
    let room = superblock.inode_size.saturating_sub(SMALLEST_INODE);
    let inodes_per_block = block_size / u64::from(superblock.inode_size);
    let descriptors_per_block = block_size / u64::from(superblock.group_descriptor_size());
    let descriptor_blocks = superblock.group_count().div_ceil(descriptors_per_block);
    let cluster = 1024_u64.checked_shl(record.log_cluster_size).unwrap_or(0);
    let is_cluster_wrong = match superblock.has_ro_compat(ro_compat::BIGALLOC) {
        true => record.log_cluster_size > LARGEST_CLUSTER || cluster < block_size,
        false => cluster != block_size,
    };
    let cluster_blocks = cluster / block_size;
    let first_block = u32::from(block_size == 1024 && cluster_blocks == 1);
    let for_hurd = record.creator_os == HURD && record.incompat & (incompat::BIT64 | incompat::EA_INODE) != 0;
    let has_checksums = superblock.has_ro_compat(ro_compat::METADATA_CSUM);
    let wrong = [
        (is_cluster_wrong, "s_log_cluster_size"),
        (
            u64::from(record.clusters_per_group) > block_size * 8
                || u64::from(record.clusters_per_group).checked_mul(cluster_blocks)
                    != Some(superblock.blocks_per_group.into()),
            "s_clusters_per_group",
        ),
        (u64::from(record.reserved_descriptor_blocks) > block_size / 4, "s_reserved_gdt_blocks"),
        (superblock.first_inode < LEAST_FIRST_INODE, "s_first_ino"),
        (has_extra_size && record.want_extra_size > room, "s_want_extra_isize"),
        (has_extra_size && record.min_extra_size > room, "s_min_extra_isize"),
        (u64::from(superblock.inodes_per_group) < inodes_per_block, "s_inodes_per_group"),
        (
            superblock.group_count().checked_mul(superblock.inodes_per_group.into()) != Some(superblock.inodes.into()),
            "s_inodes_count",
        ),
        (superblock.first_data_block != first_block, "s_first_data_block"),
        (
            superblock.has_incompat(incompat::META_BG) && u64::from(record.first_meta_bg) > descriptor_blocks,
            "s_first_meta_bg",
        ),
        (
            superblock.has_incompat(incompat::FLEX_BG) && record.log_groups_per_flex > LARGEST_FLEXIBLE_GROUP,
            "s_log_groups_per_flex",
        ),
        (record.hash_version > LAST_HASH, "s_def_hash_version"),
        (superblock.has_incompat(incompat::CASEFOLD) && record.encoding != UTF8_12_1, "s_encoding"),
        (has_checksums && record.checksum_type != superblock::CHECKSUM_TYPE, "s_checksum_type"),
        (for_hurd, "s_creator_os"),
    ];
    wrong.into_iter().find(|(wrong, _)| *wrong).map(|(_, field)| field)
}
