//! The superblock's fields that tell whether a kernel mounts the file system, and how much room is in it.

use std::fs::File;

use super::storage::Storage;
use super::{ImageError, feature, other};

/// Bytes of a superblock, which stands as far behind the start of the file.
const SIZE: usize = 1024;

const MAGIC: u16 = 0xEF53;

/// `EXT4_GOOD_OLD_INODE_SIZE`
const SMALLEST_INODE: u16 = 128;

/// Bytes of group descriptors that are read. A file system of 16 TiB has 8 MiB of them.
const MOST_DESCRIPTORS: u64 = 64 << 20;

/// Some fields of `struct ext4_super_block`, with the kernel's names. Those kept in halves are put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Superblock {
    /// `s_inodes_count`
    pub inodes: u32,
    /// `s_blocks_count`
    pub blocks: u64,
    /// `s_r_blocks_count`: blocks that only root may use.
    pub reserved_blocks: u64,
    /// `s_free_blocks_count`
    pub free_blocks: u64,
    /// `s_free_inodes_count`
    pub free_inodes: u32,
    /// The size of a block in bytes (`s_log_block_size`).
    pub block_size: u64,
    /// Blocks of a cluster (`s_log_cluster_size`): one, but for a file system with bigalloc.
    pub cluster_blocks: u64,
    /// `s_blocks_per_group`
    pub blocks_per_group: u32,
    /// `s_inodes_per_group`
    pub inodes_per_group: u32,
    /// `s_state`
    pub state: u16,
    /// `s_rev_level`
    pub revision: u32,
    /// `s_inode_size`, in bytes; the first revision has no such field, and always 128.
    pub inode_size: u16,
    /// `s_feature_compat`
    pub compat: u32,
    /// `s_feature_incompat`
    pub incompat: u32,
    /// `s_feature_ro_compat`
    pub ro_compat: u32,
    /// `s_uuid`
    pub uuid: [u8; 16],
    /// `s_volume_name`, with zeros behind it.
    pub volume_name: [u8; 16],
    /// `s_journal_inum`
    pub journal_inode: u32,
    /// `s_last_orphan`
    pub last_orphan: u32,
    /// `s_desc_size`, in bytes.
    pub descriptor_size: u16,
    /// `s_error_count`: errors that a kernel has found and nobody has repaired.
    pub errors: u32,
}

impl Superblock {
    /// Reads the superblock of a file, and checks what the kernel checks at first sight.
    ///
    /// # Errors
    /// When the file is no ext4 file system, or none that a kernel would look at any further.
    pub fn open(file: File) -> Result<Self, ImageError> {
        Self::of(&Storage::new(file)?)
    }

    pub(super) fn of(storage: &Storage) -> Result<Self, ImageError> {
        let superblock = Self::read(storage)?;
        superblock.check_form(storage)?;
        Ok(superblock)
    }

    fn read(storage: &Storage) -> Result<Self, ImageError> {
        let mut bytes = [0; SIZE];
        if storage.start(SIZE as u64, &mut bytes)? < SIZE {
            return Err(ImageError::NotExt4(format!("it has {} bytes, too few for a file system", storage.length())));
        }
        let superblock = Self::decode(&bytes);
        match superblock {
            Some(superblock) => Ok(superblock),
            None => Err(ImageError::NotExt4(other::what_it_is(storage)?)),
        }
    }

    /// The fields, in the order of the disk; `None` when the magic number is not ext4's.
    fn decode(bytes: &[u8; SIZE]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let mut superblock = Self { inodes: fields.u32(), ..Self::default() };
        let blocks_low = fields.u32();
        let reserved_low = fields.u32();
        let free_low = fields.u32();
        superblock.free_inodes = fields.u32();
        // s_first_data_block
        fields.skip(4);
        superblock.block_size = 1024_u64.checked_shl(fields.u32()).unwrap_or(0);
        let cluster_size = 1024_u64.checked_shl(fields.u32()).unwrap_or(0);
        superblock.blocks_per_group = fields.u32();
        // s_clusters_per_group
        fields.skip(4);
        superblock.inodes_per_group = fields.u32();
        // s_mtime to s_max_mnt_count
        fields.skip(4 + 4 + 2 + 2);
        if fields.u16() != MAGIC {
            return None;
        }
        superblock.state = fields.u16();
        // s_errors to s_creator_os
        fields.skip(2 + 2 + 4 + 4 + 4);
        superblock.revision = fields.u32();
        // s_def_resuid to s_first_ino
        fields.skip(2 + 2 + 4);
        let inode_size = fields.u16();
        superblock.inode_size = if superblock.revision == 0 { SMALLEST_INODE } else { inode_size };
        // s_block_group_nr
        fields.skip(2);
        superblock.compat = fields.u32();
        superblock.incompat = fields.u32();
        superblock.ro_compat = fields.u32();
        superblock.cluster_blocks = match superblock.ro_compat & feature::BIGALLOC {
            0 => 1,
            _ => cluster_size.checked_div(superblock.block_size).unwrap_or(0),
        };
        superblock.uuid = fields.take().unwrap_or_default();
        superblock.volume_name = fields.take().unwrap_or_default();
        // s_last_mounted to s_journal_uuid
        fields.skip(64 + 4 + 1 + 1 + 2 + 16);
        superblock.journal_inode = fields.u32();
        // s_journal_dev
        fields.skip(4);
        superblock.last_orphan = fields.u32();
        // s_hash_seed to s_jnl_backup_type
        fields.skip(16 + 1 + 1);
        superblock.descriptor_size = fields.u16();
        // s_default_mount_opts to s_jnl_blocks
        fields.skip(4 + 4 + 4 + 17 * 4);
        superblock.blocks = u64::from(blocks_low) | u64::from(fields.u32()) << 32;
        superblock.reserved_blocks = u64::from(reserved_low) | u64::from(fields.u32()) << 32;
        superblock.free_blocks = u64::from(free_low) | u64::from(fields.u32()) << 32;
        // s_min_extra_isize to s_snapshot_list
        fields.skip(2 + 2 + 4 + 2 + 2 + 8 + 4 + 1 + 1 + 2 + 8 + 4 + 4 + 8 + 4);
        superblock.errors = fields.u32();
        Some(superblock)
    }

    /// The UUID as people write it.
    pub fn uuid_text(&self) -> String {
        let hex: Vec<String> = self.uuid.iter().map(|byte| format!("{byte:02x}")).collect();
        let lengths = [4, 2, 2, 2, 6];
        let mut bytes = hex.into_iter();
        lengths.map(|length| bytes.by_ref().take(length).collect::<String>()).join("-")
    }

    /// The label.
    pub fn label(&self) -> &[u8] {
        self.volume_name.split(|&byte| byte == 0).next().unwrap_or_default()
    }

    /// Whether a tree of dm-verity stands behind the file system, where nex puts it.
    pub(super) fn has_verity(&self, storage: &Storage) -> Result<bool, ImageError> {
        const SIGNATURE: [u8; 8] = *b"verity\0\0";
        let mut behind = [0; SIGNATURE.len()];
        let length = storage.start(self.blocks.saturating_mul(self.block_size), &mut behind)?;
        Ok(length == SIGNATURE.len() && behind == SIGNATURE)
    }

    /// What a kernel refuses to mount at first sight (`ext4_fill_super`), and what would make the reader work for ever.
    fn check_form(&self, storage: &Storage) -> Result<(), ImageError> {
        const BLOCK_SIZES: std::ops::RangeInclusive<u64> = 1024..=65536;
        // A group's bitmap has one block, with a bit for each cluster.
        let most_blocks = self.block_size.saturating_mul(8).saturating_mul(self.cluster_blocks);
        if self.incompat & feature::JOURNAL_DEVICE != 0 {
            return Err(ImageError::NotExt4("it is the journal of another file system (journal_dev)".into()));
        }
        let wrong = [
            (!BLOCK_SIZES.contains(&self.block_size), "s_log_block_size"),
            (self.blocks_per_group == 0 || u64::from(self.blocks_per_group) > most_blocks, "s_blocks_per_group"),
            (self.inodes_per_group == 0, "s_inodes_per_group"),
            (
                self.inode_size < SMALLEST_INODE
                    || !self.inode_size.is_power_of_two()
                    || u64::from(self.inode_size) > self.block_size,
                "s_inode_size",
            ),
            (self.blocks == 0, "s_blocks_count"),
        ];
        if let Some((_, field)) = wrong.into_iter().find(|(wrong, _)| *wrong) {
            return Err(ImageError::Damaged(format!("the superblock's {field} is none that a file system can have")));
        }
        let (size, length) = (self.blocks.saturating_mul(self.block_size), storage.length());
        if size > length {
            return Err(ImageError::CutOff { length, size });
        }
        let descriptors =
            self.blocks.div_ceil(self.blocks_per_group.into()).saturating_mul(self.descriptor_size.max(32).into());
        if descriptors > MOST_DESCRIPTORS {
            return Err(ImageError::Unsupported(format!("it has {descriptors} bytes of group descriptors")));
        }
        Ok(())
    }
}

/// A cursor over the superblock's fields, little-endian.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn skip(&mut self, count: usize) {
        self.0 = self.0.get(count..).unwrap_or_default();
    }

    fn u16(&mut self) -> u16 {
        self.take().map(u16::from_le_bytes).unwrap_or_default()
    }

    fn u32(&mut self) -> u32 {
        self.take().map(u32::from_le_bytes).unwrap_or_default()
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}
