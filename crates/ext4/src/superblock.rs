//! The superblock: 1,024 bytes that name the format, count everything, and commit the file system.

use crate::BLOCK_SIZE;
use crate::csum;
use crate::dirhash::{HASH_FLAGS, HASH_VERSION};
use crate::geometry::{BLOCKS_PER_GROUP, DESCRIPTOR_SIZE, Geometry};
use crate::inode::{EXTRA_SIZE, I_BLOCK_SIZE, INODE_SIZE};
use crate::numbering;
use crate::options::Options;
use crate::put::{Put, high32, low32};

/// Bytes of a superblock.
pub(crate) const SIZE: usize = 1024;
/// Where the primary stands within block 0; a backup starts its block.
pub(crate) const PRIMARY_OFFSET: u64 = 1024;
/// Where `s_checksum` stands: last.
const CHECKSUM: std::ops::Range<usize> = SIZE - size_of::<u32>()..SIZE;

const MAGIC: u16 = 0xEF53;
/// `EXT4_VALID_FS`.
const STATE_CLEAN: u16 = 1;
/// `EXT4_ERRORS_CONTINUE`.
const ERRORS_CONTINUE: u16 = 1;
/// `EXT4_DYNAMIC_REV`.
const REVISION_DYNAMIC: u32 = 1;
/// Of writing and checking no time is known: only when the file system was made comes from the caller. Were that later than
/// the clock of whoever checks it, e2fsck would complain of these two.
const NO_TIME: u32 = 0;
/// log2 of the block size over 1,024.
const LOG_BLOCK_SIZE: u32 = 2;
/// Never check because of a count of mounts.
const NO_MOUNT_COUNT: u16 = u16::MAX;
/// `EXT3_JNL_BACKUP_BLOCKS`: `s_jnl_blocks` holds a copy of the journal inode's map and size.
const JOURNAL_BACKUP_BLOCKS: u8 = 1;
/// `EXT4_DEFM_XATTR_USER | EXT4_DEFM_ACL`.
const DEFAULT_MOUNT_OPTIONS: u32 = 0x4 | 0x8;
/// log2 of the groups in a flexible group.
const LOG_GROUPS_PER_FLEX: u8 = 4;
/// crc32c, the only one.
const CHECKSUM_TYPE: u8 = 1;

/// The features an old kernel may ignore (`EXT4_FEATURE_COMPAT_*`).
mod compat {
    pub const HAS_JOURNAL: u32 = 0x4;
    pub const EXT_ATTR: u32 = 0x8;
    pub const RESIZE_INODE: u32 = 0x10;
    pub const DIR_INDEX: u32 = 0x20;
    pub const ALL: u32 = HAS_JOURNAL | EXT_ATTR | RESIZE_INODE | DIR_INDEX;
}

/// The features without which nothing can be read (`EXT4_FEATURE_INCOMPAT_*`).
mod incompat {
    pub const FILETYPE: u32 = 0x2;
    pub const EXTENTS: u32 = 0x40;
    pub const BIT64: u32 = 0x80;
    pub const FLEX_BG: u32 = 0x200;
    pub const ALL: u32 = FILETYPE | EXTENTS | BIT64 | FLEX_BG;
}

/// The features without which nothing can be written (`EXT4_FEATURE_RO_COMPAT_*`).
mod ro_compat {
    pub const SPARSE_SUPER: u32 = 0x1;
    pub const LARGE_FILE: u32 = 0x2;
    pub const HUGE_FILE: u32 = 0x8;
    pub const DIR_NLINK: u32 = 0x20;
    pub const EXTRA_ISIZE: u32 = 0x40;
    pub const METADATA_CSUM: u32 = 0x400;
    pub const ALL: u32 = SPARSE_SUPER | LARGE_FILE | HUGE_FILE | DIR_NLINK | EXTRA_ISIZE | METADATA_CSUM;
}

/// Bytes of the fields that no feature of ours uses, and that stay zero.
mod unused {
    pub const LAST_MOUNTED: usize = 64;
    pub const JOURNAL_UUID: usize = 16;
    /// From `s_raid_stride` to `s_raid_stripe_width`: RAID, and protection against mounting twice.
    pub const RAID_AND_MMP: usize = 2 + 2 + 8 + 4;
    /// From `s_encryption_level` to `s_grp_quota_inum`: errors, snapshots and quota.
    pub const ERRORS_AND_QUOTA: usize = 0x248 - 0x176;
    /// From `s_backup_bgs` to `s_checksum_seed`: sparse_super2, encryption and projects.
    pub const BACKUPS_AND_ENCRYPTION: usize = 0x274 - 0x24C;
    /// From `s_first_error_time_hi` to `s_reserved`.
    pub const RESERVED: usize = 0x3FC - 0x278;
}

/// What the superblock says beyond the geometry and the options.
pub(crate) struct Superblock<'a> {
    pub geometry: &'a Geometry,
    pub options: &'a Options,
    /// `s_free_blocks_count`.
    pub free_blocks: u64,
    /// `s_free_inodes_count`.
    pub free_inodes: u32,
    /// The journal inode's `i_block`.
    pub journal_map: [u8; I_BLOCK_SIZE],
    /// The journal's blocks.
    pub journal_blocks: u64,
}

impl Superblock<'_> {
    /// The superblock as it stands in a group: the primary in group 0, a backup elsewhere.
    pub fn encode(&self, group: u64) -> [u8; SIZE] {
        let mut record = [0; SIZE];
        let mut put = Put::new(&mut record);
        self.put_counts(&mut put);
        self.put_state(&mut put);
        self.put_identity(&mut put, group);
        self.put_journal(&mut put);
        self.put_upper_halves(&mut put);
        put.skip(unused::RESERVED).u32(0).end();
        let checksum = csum::superblock(&record);
        record[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        record
    }

    fn put_counts(&self, put: &mut Put) {
        put.u32(self.geometry.inode_count() as u32)
            .u32(low32(self.geometry.block_count))
            .u32(0) // s_r_blocks_count_lo
            .u32(low32(self.free_blocks))
            .u32(self.free_inodes)
            .u32(0) // s_first_data_block
            .u32(LOG_BLOCK_SIZE)
            .u32(LOG_BLOCK_SIZE) // s_log_cluster_size
            .u32(BLOCKS_PER_GROUP as u32)
            .u32(BLOCKS_PER_GROUP as u32) // s_clusters_per_group
            .u32(self.geometry.inodes_per_group);
    }

    fn put_state(&self, put: &mut Put) {
        put.u32(0) // s_mtime
            .u32(NO_TIME) // s_wtime
            .u16(0) // s_mnt_count
            .u16(NO_MOUNT_COUNT)
            .u16(MAGIC)
            .u16(STATE_CLEAN)
            .u16(ERRORS_CONTINUE)
            .u16(0) // s_minor_rev_level
            .u32(NO_TIME) // s_lastcheck
            .u32(0) // s_checkinterval
            .u32(0) // s_creator_os: Linux
            .u32(REVISION_DYNAMIC)
            .u16(0) // s_def_resuid
            .u16(0); // s_def_resgid
    }

    fn put_identity(&self, put: &mut Put, group: u64) {
        put.u32(numbering::LOST_AND_FOUND) // s_first_ino
            .u16(INODE_SIZE as u16)
            .u16(group as u16)
            .u32(compat::ALL)
            .u32(incompat::ALL)
            .u32(ro_compat::ALL)
            .bytes(&self.options.uuid)
            .bytes(&self.options.label)
            .skip(unused::LAST_MOUNTED)
            .u32(0) // s_algorithm_usage_bitmap
            .u8(0) // s_prealloc_blocks
            .u8(0) // s_prealloc_dir_blocks
            .u16(self.geometry.reserved_blocks as u16);
    }

    fn put_journal(&self, put: &mut Put) {
        put.skip(unused::JOURNAL_UUID)
            .u32(numbering::JOURNAL)
            .u32(0) // s_journal_dev
            .u32(0) // s_last_orphan
            .bytes(&self.options.hash_seed)
            .u8(HASH_VERSION)
            .u8(JOURNAL_BACKUP_BLOCKS)
            .u16(DESCRIPTOR_SIZE as u16)
            .u32(DEFAULT_MOUNT_OPTIONS)
            .u32(0) // s_first_meta_bg
            .u32(self.time_low()) // s_mkfs_time
            .bytes(&self.journal_map)
            .u32(high32(self.journal_blocks * BLOCK_SIZE))
            .u32(low32(self.journal_blocks * BLOCK_SIZE));
    }

    fn put_upper_halves(&self, put: &mut Put) {
        put.u32(high32(self.geometry.block_count))
            .u32(0) // s_r_blocks_count_hi
            .u32(high32(self.free_blocks))
            .u16(EXTRA_SIZE)
            .u16(EXTRA_SIZE)
            .u32(HASH_FLAGS)
            .skip(unused::RAID_AND_MMP)
            .u8(LOG_GROUPS_PER_FLEX)
            .u8(CHECKSUM_TYPE)
            .skip(unused::ERRORS_AND_QUOTA)
            .u32(u32::try_from(self.geometry.overhead(self.journal_blocks)).unwrap_or(0))
            .skip(unused::BACKUPS_AND_ENCRYPTION)
            .u8(0) // s_wtime_hi
            .u8(0) // s_mtime_hi
            .u8(self.time_high()) // s_mkfs_time_hi
            .u8(0); // s_lastcheck_hi
    }

    fn time_low(&self) -> u32 {
        self.time() as u32
    }

    fn time_high(&self) -> u8 {
        (self.time() >> 32) as u8
    }

    /// Unlike an inode's times these count from 1970 without a sign, in 40 bits.
    fn time(&self) -> i64 {
        self.options.time.clamp(0, (1 << 40) - 1)
    }
}
