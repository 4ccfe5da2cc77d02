//! What the superblock of a new file system says.

use crate::BLOCK_SIZE;
use crate::dirhash::{HASH_FLAGS, HASH_VERSION};
use crate::geometry::{BLOCKS_PER_GROUP, DESCRIPTOR_SIZE, Geometry};
use crate::inode::{EXTRA_SIZE, I_BLOCK_SIZE, INODE_SIZE};
use crate::numbering;
use crate::options::Options;
use crate::superblock::{
    CHECKSUM_TYPE, LOG_BLOCK_SIZE, MAGIC, REVISION_DYNAMIC, STATE_CLEAN, Superblock, compat, incompat, ro_compat,
};

/// `EXT4_ERRORS_CONTINUE`.
const ERRORS_CONTINUE: u16 = 1;
/// Never check because of a count of mounts.
const NO_MOUNT_COUNT: u16 = u16::MAX;
/// `EXT3_JNL_BACKUP_BLOCKS`: `s_jnl_blocks` holds a copy of the journal inode's map and size.
const JOURNAL_BACKUP_BLOCKS: u8 = 1;
/// `EXT4_DEFM_XATTR_USER | EXT4_DEFM_ACL`.
const DEFAULT_MOUNT_OPTIONS: u32 = 0x4 | 0x8;
/// log2 of the groups in a flexible group.
const LOG_GROUPS_PER_FLEX: u8 = 4;
/// The longest time that a superblock holds.
const MAX_TIME: i64 = (1 << 40) - 1;

/// What the superblock says beyond the geometry and the options.
pub(crate) struct NewSuperblock<'a> {
    pub geometry: &'a Geometry,
    pub options: &'a Options,
    /// `s_free_blocks_count`.
    pub free_blocks: u64,
    /// `s_free_inodes_count`.
    pub free_inodes: u32,
    /// `s_r_blocks_count`.
    pub reserved_blocks: u64,
    /// `None` when the file system has no journal.
    pub journal: Option<JournalCopy>,
    /// Whether a directory needs the feature `large_dir`.
    pub large_dir: bool,
}

/// What the superblock keeps of the journal's inode.
pub(crate) struct JournalCopy {
    /// Its `i_block`.
    pub map: [u8; I_BLOCK_SIZE],
    /// The journal's blocks.
    pub blocks: u64,
}

impl NewSuperblock<'_> {
    /// All fields. Those left zero say: never mounted, written or checked at no known time. (Of writing
    /// and checking no time is known: only when the file system was made comes from the caller. Were that later than the
    /// clock of whoever checks it, e2fsck would complain of these two.)
    pub fn fields(&self) -> Superblock {
        let Self { geometry, options, .. } = self;
        let journal_blocks = self.journal.as_ref().map_or(0, |journal| journal.blocks);
        let superblock = Superblock {
            inodes_count: geometry.inode_count() as u32,
            blocks_count: geometry.block_count,
            reserved_blocks: self.reserved_blocks,
            free_blocks: self.free_blocks,
            free_inodes: self.free_inodes,
            log_block_size: LOG_BLOCK_SIZE,
            log_cluster_size: LOG_BLOCK_SIZE,
            blocks_per_group: BLOCKS_PER_GROUP as u32,
            clusters_per_group: BLOCKS_PER_GROUP as u32,
            inodes_per_group: geometry.inodes_per_group,
            max_mount_count: NO_MOUNT_COUNT,
            magic: MAGIC,
            state: STATE_CLEAN,
            errors: ERRORS_CONTINUE,
            revision: REVISION_DYNAMIC,
            first_inode: numbering::LOST_AND_FOUND,
            inode_size: INODE_SIZE as u16,
            compat: compat::ALL & !compat::HAS_JOURNAL,
            incompat: incompat::ALL | if self.large_dir { incompat::LARGE_DIR } else { 0 },
            ro_compat: ro_compat::ALL,
            uuid: options.uuid,
            label: options.label,
            reserved_descriptor_blocks: geometry.reserved_blocks as u16,
            hash_seed: options.hash_seed,
            hash_version: HASH_VERSION,
            descriptor_size: DESCRIPTOR_SIZE as u16,
            default_mount_options: DEFAULT_MOUNT_OPTIONS,
            // Unlike an inode's times this counts from 1970 without a sign.
            mkfs_time: options.time.clamp(0, MAX_TIME) as u64,
            min_extra_size: EXTRA_SIZE,
            want_extra_size: EXTRA_SIZE,
            flags: HASH_FLAGS,
            log_groups_per_flex: LOG_GROUPS_PER_FLEX,
            checksum_type: CHECKSUM_TYPE,
            overhead: u32::try_from(geometry.overhead(journal_blocks)).unwrap_or(0),
            ..Superblock::zeroed()
        };
        match &self.journal {
            Some(journal) => journal.name_in(superblock),
            None => superblock,
        }
    }
}

impl JournalCopy {
    /// The superblock of a file system with this journal.
    fn name_in(&self, superblock: Superblock) -> Superblock {
        Superblock {
            compat: superblock.compat | compat::HAS_JOURNAL,
            journal_inode: numbering::JOURNAL,
            journal_backup_type: JOURNAL_BACKUP_BLOCKS,
            journal_map: self.map,
            journal_size: self.blocks * BLOCK_SIZE,
            ..superblock
        }
    }
}
