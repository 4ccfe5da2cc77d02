//! The superblock: 1,024 bytes that name the format, count everything, and commit the file system.

use crate::csum;
use crate::fields::Fields;
use crate::get::Get;
use crate::inode::I_BLOCK_SIZE;
use crate::put::Put;

/// Bytes of a superblock.
pub(crate) const SIZE: usize = 1024;
/// Where the primary stands within block 0; a backup starts its block.
pub(crate) const PRIMARY_OFFSET: u64 = 1024;
/// Where `s_checksum` stands: last.
const CHECKSUM: std::ops::Range<usize> = SIZE - size_of::<u32>()..SIZE;

pub(crate) const MAGIC: u16 = 0xEF53;
/// `EXT4_VALID_FS`.
pub(crate) const STATE_CLEAN: u16 = 1;
/// `EXT4_ERROR_FS`.
pub(crate) const STATE_ERRORS: u16 = 2;
/// `EXT4_DYNAMIC_REV`.
pub(crate) const REVISION_DYNAMIC: u32 = 1;
/// log2 of the block size over 1,024.
pub(crate) const LOG_BLOCK_SIZE: u32 = 2;
/// crc32c, the only one (`s_checksum_type`).
pub(crate) const CHECKSUM_TYPE: u8 = 1;

/// The features an old kernel may ignore (`EXT4_FEATURE_COMPAT_*`).
pub(crate) mod compat {
    pub const HAS_JOURNAL: u32 = 0x4;
    pub const EXT_ATTR: u32 = 0x8;
    pub const RESIZE_INODE: u32 = 0x10;
    pub const DIR_INDEX: u32 = 0x20;
    /// Backups stand in the two groups of `s_backup_bgs` alone.
    pub const SPARSE_SUPER2: u32 = 0x200;
    /// Changes may stand in the journal that are no transactions.
    pub const FAST_COMMIT: u32 = 0x400;
    pub const ALL: u32 = HAS_JOURNAL | EXT_ATTR | RESIZE_INODE | DIR_INDEX;
}

/// The features without which nothing can be read (`EXT4_FEATURE_INCOMPAT_*`).
pub(crate) mod incompat {
    pub const FILETYPE: u32 = 0x2;
    pub const EXTENTS: u32 = 0x40;
    pub const BIT64: u32 = 0x80;
    pub const FLEX_BG: u32 = 0x200;
    /// The journal holds changes that are not in place yet.
    pub const RECOVER: u32 = 0x4;
    /// Growth past the reserved descriptors brings it.
    pub const META_BG: u32 = 0x10;
    /// A directory has three levels of index.
    pub const LARGE_DIR: u32 = 0x4000;
    /// It is a journal, and no file system.
    pub const JOURNAL_DEV: u32 = 0x8;
    pub const MMP: u32 = 0x100;
    pub const EA_INODE: u32 = 0x400;
    pub const CSUM_SEED: u32 = 0x2000;
    pub const INLINE_DATA: u32 = 0x8000;
    pub const ENCRYPT: u32 = 0x1_0000;
    pub const CASEFOLD: u32 = 0x2_0000;
    pub const ALL: u32 = FILETYPE | EXTENTS | BIT64 | FLEX_BG;
}

/// The features without which nothing can be written (`EXT4_FEATURE_RO_COMPAT_*`).
pub(crate) mod ro_compat {
    pub const SPARSE_SUPER: u32 = 0x1;
    pub const LARGE_FILE: u32 = 0x2;
    pub const HUGE_FILE: u32 = 0x8;
    /// Descriptors have a checksum, and it is crc16 (`uninit_bg`).
    pub const GDT_CSUM: u32 = 0x10;
    pub const DIR_NLINK: u32 = 0x20;
    pub const EXTRA_ISIZE: u32 = 0x40;
    pub const BIGALLOC: u32 = 0x200;
    pub const METADATA_CSUM: u32 = 0x400;
    /// Inodes belong to projects.
    pub const PROJECT: u32 = 0x2000;
    pub const ALL: u32 = SPARSE_SUPER | LARGE_FILE | HUGE_FILE | DIR_NLINK | EXTRA_ISIZE | METADATA_CSUM;
}

/// Bytes of the fields that no feature of ours uses. The kernel writes some of them.
pub(crate) mod unused {
    pub const LAST_MOUNTED: usize = 64;
    pub const JOURNAL_UUID: usize = 16;
    /// From `s_raid_stride` to `s_raid_stripe_width`: RAID, and protection against mounting twice.
    pub const RAID_AND_MMP: usize = 2 + 2 + 8 + 4;
    /// From `s_encryption_level` to `s_snapshot_list`.
    pub const SNAPSHOTS: usize = 0x194 - 0x176;
    /// From `s_first_error_time` to `s_grp_quota_inum`.
    pub const ERRORS_AND_QUOTA: usize = 0x248 - 0x198;
    /// From `s_encrypt_algos` to `s_prj_quota_inum`.
    pub const ENCRYPTION: usize = 0x270 - 0x254;
    /// From `s_first_error_time_hi` to `s_last_error_errcode`.
    pub const ERROR_DETAILS: usize = 0x27C - 0x278;
    /// From `s_encoding_flags` to `s_reserved`.
    pub const RESERVED: usize = 0x3FC - 0x27E;
}

/// The fields of `struct ext4_super_block` in the order of the disk; those kept in halves stand where their low half is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub inodes_count: u32,
    pub blocks_count: u64,
    /// `s_r_blocks_count`: blocks that only root may use.
    pub reserved_blocks: u64,
    pub free_blocks: u64,
    pub free_inodes: u32,
    pub first_data_block: u32,
    pub log_block_size: u32,
    pub log_cluster_size: u32,
    pub blocks_per_group: u32,
    pub clusters_per_group: u32,
    pub inodes_per_group: u32,
    /// Last mounted, in seconds since 1970 and 40 bits, as all times here.
    pub mount_time: u64,
    /// Last written.
    pub write_time: u64,
    pub mount_count: u16,
    pub max_mount_count: u16,
    pub magic: u16,
    /// [`STATE_CLEAN`], or what is wrong.
    pub state: u16,
    pub errors: u16,
    pub minor_revision: u16,
    /// Last checked.
    pub check_time: u64,
    pub check_interval: u32,
    pub creator_os: u32,
    pub revision: u32,
    /// `s_def_resuid` and `s_def_resgid`: who may use reserved blocks.
    pub reserved_for: [u16; 2],
    pub first_inode: u32,
    pub inode_size: u16,
    /// The group that this copy stands in.
    pub group: u16,
    pub compat: u32,
    pub incompat: u32,
    pub ro_compat: u32,
    pub uuid: [u8; 16],
    /// `s_volume_name`.
    pub label: [u8; 16],
    pub last_mounted: [u8; unused::LAST_MOUNTED],
    pub algorithms: u32,
    pub preallocate: [u8; 2],
    /// `s_reserved_gdt_blocks`.
    pub reserved_descriptor_blocks: u16,
    pub journal_uuid: [u8; unused::JOURNAL_UUID],
    pub journal_inode: u32,
    pub journal_device: u32,
    pub last_orphan: u32,
    pub hash_seed: [u8; 16],
    pub hash_version: u8,
    pub journal_backup_type: u8,
    pub descriptor_size: u16,
    pub default_mount_options: u32,
    pub first_meta_bg: u32,
    /// When the file system was made.
    pub mkfs_time: u64,
    /// `s_jnl_blocks`: the journal inode's `i_block`, then its size.
    pub journal_map: [u8; I_BLOCK_SIZE],
    pub journal_size: u64,
    pub min_extra_size: u16,
    pub want_extra_size: u16,
    pub flags: u32,
    pub raid_and_mmp: [u8; unused::RAID_AND_MMP],
    pub log_groups_per_flex: u8,
    pub checksum_type: u8,
    pub snapshots: [u8; unused::SNAPSHOTS],
    /// `s_error_count`: errors that a kernel has found and nobody has repaired.
    pub error_count: u32,
    pub errors_and_quota: [u8; unused::ERRORS_AND_QUOTA],
    pub overhead: u32,
    /// `s_backup_bgs`: the groups with backups where the feature `sparse_super2` is.
    pub backup_groups: [u32; 2],
    pub encryption: [u8; unused::ENCRYPTION],
    /// What checksums start from where the feature `metadata_csum_seed` is.
    pub checksum_seed: u32,
    pub error_details: [u8; unused::ERROR_DETAILS],
    /// Whose names in any case are equal, where the feature `casefold` is.
    pub encoding: u16,
    pub rest: [u8; unused::RESERVED],
}

impl Superblock {
    /// The superblock as it stands in a group: the primary in group 0, a backup elsewhere.
    pub fn encode(&self, group: u64) -> [u8; SIZE] {
        let mut record = [0; SIZE];
        let mut put = Put::new(&mut record);
        Self { group: group as u16, ..self.clone() }.fields(&mut put, &mut 0);
        put.end();
        let checksum = csum::superblock(&record);
        record[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        record
    }

    /// The superblock as the disk has it, and whether its checksum is right.
    pub fn decode(record: &[u8; SIZE]) -> (Self, bool) {
        let mut superblock = Self::zeroed();
        let mut found = 0;
        let mut get = Get::new(record);
        superblock.fields(&mut get, &mut found);
        get.end();
        (superblock, csum::superblock(record) == found)
    }

    /// `struct ext4_super_block`; `s_checksum` comes last to be known.
    fn fields(&mut self, fields: &mut impl Fields, checksum: &mut u32) {
        self.counts(fields);
        self.status(fields);
        self.identity(fields);
        self.journal(fields);
        self.upper_halves(fields);
        fields.bytes(&mut self.error_details).u16(&mut self.encoding).bytes(&mut self.rest).u32(checksum);
    }

    fn counts(&mut self, fields: &mut impl Fields) {
        fields
            .u32(&mut self.inodes_count)
            .low32(&mut self.blocks_count)
            .low32(&mut self.reserved_blocks)
            .low32(&mut self.free_blocks)
            .u32(&mut self.free_inodes)
            .u32(&mut self.first_data_block)
            .u32(&mut self.log_block_size)
            .u32(&mut self.log_cluster_size)
            .u32(&mut self.blocks_per_group)
            .u32(&mut self.clusters_per_group)
            .u32(&mut self.inodes_per_group);
    }

    fn status(&mut self, fields: &mut impl Fields) {
        fields
            .low32(&mut self.mount_time)
            .low32(&mut self.write_time)
            .u16(&mut self.mount_count)
            .u16(&mut self.max_mount_count)
            .u16(&mut self.magic)
            .u16(&mut self.state)
            .u16(&mut self.errors)
            .u16(&mut self.minor_revision)
            .low32(&mut self.check_time)
            .u32(&mut self.check_interval)
            .u32(&mut self.creator_os)
            .u32(&mut self.revision)
            .u16(&mut self.reserved_for[0])
            .u16(&mut self.reserved_for[1]);
    }

    fn identity(&mut self, fields: &mut impl Fields) {
        fields
            .u32(&mut self.first_inode)
            .u16(&mut self.inode_size)
            .u16(&mut self.group)
            .u32(&mut self.compat)
            .u32(&mut self.incompat)
            .u32(&mut self.ro_compat)
            .bytes(&mut self.uuid)
            .bytes(&mut self.label)
            .bytes(&mut self.last_mounted)
            .u32(&mut self.algorithms)
            .bytes(&mut self.preallocate)
            .u16(&mut self.reserved_descriptor_blocks);
    }

    fn journal(&mut self, fields: &mut impl Fields) {
        fields
            .bytes(&mut self.journal_uuid)
            .u32(&mut self.journal_inode)
            .u32(&mut self.journal_device)
            .u32(&mut self.last_orphan)
            .bytes(&mut self.hash_seed)
            .u8(&mut self.hash_version)
            .u8(&mut self.journal_backup_type)
            .u16(&mut self.descriptor_size)
            .u32(&mut self.default_mount_options)
            .u32(&mut self.first_meta_bg)
            .low32(&mut self.mkfs_time)
            .bytes(&mut self.journal_map)
            .high32(&mut self.journal_size)
            .low32(&mut self.journal_size);
    }

    fn upper_halves(&mut self, fields: &mut impl Fields) {
        fields
            .high32(&mut self.blocks_count)
            .high32(&mut self.reserved_blocks)
            .high32(&mut self.free_blocks)
            .u16(&mut self.min_extra_size)
            .u16(&mut self.want_extra_size)
            .u32(&mut self.flags)
            .bytes(&mut self.raid_and_mmp)
            .u8(&mut self.log_groups_per_flex)
            .u8(&mut self.checksum_type)
            .bytes(&mut self.snapshots)
            .u32(&mut self.error_count)
            .bytes(&mut self.errors_and_quota)
            .u32(&mut self.overhead)
            .u32(&mut self.backup_groups[0])
            .u32(&mut self.backup_groups[1])
            .bytes(&mut self.encryption)
            .u32(&mut self.checksum_seed)
            .middle8(&mut self.write_time)
            .middle8(&mut self.mount_time)
            .middle8(&mut self.mkfs_time)
            .middle8(&mut self.check_time);
    }

    /// A superblock of zeros.
    pub fn zeroed() -> Self {
        Self {
            inodes_count: 0,
            blocks_count: 0,
            reserved_blocks: 0,
            free_blocks: 0,
            free_inodes: 0,
            first_data_block: 0,
            log_block_size: 0,
            log_cluster_size: 0,
            blocks_per_group: 0,
            clusters_per_group: 0,
            inodes_per_group: 0,
            mount_time: 0,
            write_time: 0,
            mount_count: 0,
            max_mount_count: 0,
            magic: 0,
            state: 0,
            errors: 0,
            minor_revision: 0,
            check_time: 0,
            check_interval: 0,
            creator_os: 0,
            revision: 0,
            reserved_for: [0; 2],
            first_inode: 0,
            inode_size: 0,
            group: 0,
            compat: 0,
            incompat: 0,
            ro_compat: 0,
            uuid: [0; 16],
            label: [0; 16],
            last_mounted: [0; unused::LAST_MOUNTED],
            algorithms: 0,
            preallocate: [0; 2],
            reserved_descriptor_blocks: 0,
            journal_uuid: [0; unused::JOURNAL_UUID],
            journal_inode: 0,
            journal_device: 0,
            last_orphan: 0,
            hash_seed: [0; 16],
            hash_version: 0,
            journal_backup_type: 0,
            descriptor_size: 0,
            default_mount_options: 0,
            first_meta_bg: 0,
            mkfs_time: 0,
            journal_map: [0; I_BLOCK_SIZE],
            journal_size: 0,
            min_extra_size: 0,
            want_extra_size: 0,
            flags: 0,
            raid_and_mmp: [0; unused::RAID_AND_MMP],
            log_groups_per_flex: 0,
            checksum_type: 0,
            snapshots: [0; unused::SNAPSHOTS],
            error_count: 0,
            errors_and_quota: [0; unused::ERRORS_AND_QUOTA],
            overhead: 0,
            backup_groups: [0; 2],
            encryption: [0; unused::ENCRYPTION],
            checksum_seed: 0,
            error_details: [0; unused::ERROR_DETAILS],
            encoding: 0,
            rest: [0; unused::RESERVED],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_whatever_the_bytes() {
        let mut record: [u8; SIZE] = std::array::from_fn(|at| (at * 7 + at / 256) as u8);
        let (superblock, sealed) = Superblock::decode(&record);
        assert!(!sealed);
        let checksum = csum::superblock(&record);
        record[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(superblock.encode(superblock.group.into()), record);
        assert_eq!(Superblock::decode(&record), (superblock, true));
    }
}
