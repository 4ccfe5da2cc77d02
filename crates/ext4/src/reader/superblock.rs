//! The superblock's fields that tell what the file system is, and what a kernel refuses at first sight.

use crate::read_at::ReadAt;
use crate::superblock::{self, compat, incompat, ro_compat};

use super::Error;

/// `EXT4_GOOD_OLD_INODE_SIZE`
pub(super) const SMALLEST_INODE: u16 = 128;

/// Bytes of group descriptors that are read. A file system of 16 TiB has 8 MiB of them.
const MOST_DESCRIPTORS: u64 = 64 << 20;

/// Bytes of a descriptor without the feature `64bit` (`EXT4_MIN_DESC_SIZE`).
const SMALL_DESCRIPTOR: u16 = 32;

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
    /// `s_first_data_block`: the block that the first group begins with.
    pub first_data_block: u32,
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
    /// `s_first_ino`: inodes below it are the file system's own, but for the root.
    pub first_inode: u32,
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
    /// Reads the superblock, and checks what a kernel checks before it looks at anything else.
    ///
    /// # Errors
    /// When there is no ext4 file system, or none that a kernel would look at any further.
    pub fn read(storage: &impl ReadAt) -> Result<Self, Error> {
        let (raw, _) = read_record(storage)?;
        let superblock = Self::of(&raw);
        superblock.check_form(storage.size()?)?;
        Ok(superblock)
    }

    /// The facts of a superblock as the disk has it.
    pub(super) fn of(raw: &superblock::Superblock) -> Self {
        let block_size = 1024_u64.checked_shl(raw.log_block_size).unwrap_or(0);
        let cluster_size = 1024_u64.checked_shl(raw.log_cluster_size).unwrap_or(0);
        let is_first_revision = raw.revision < superblock::REVISION_DYNAMIC;
        Self {
            inodes: raw.inodes_count,
            blocks: raw.blocks_count,
            reserved_blocks: raw.reserved_blocks,
            free_blocks: raw.free_blocks,
            free_inodes: raw.free_inodes,
            first_data_block: raw.first_data_block,
            block_size,
            cluster_blocks: match raw.ro_compat & ro_compat::BIGALLOC {
                0 => 1,
                _ => cluster_size.checked_div(block_size).unwrap_or(0),
            },
            blocks_per_group: raw.blocks_per_group,
            inodes_per_group: raw.inodes_per_group,
            state: raw.state,
            revision: raw.revision,
            first_inode: if is_first_revision { OLD_FIRST_INODE } else { raw.first_inode },
            inode_size: if is_first_revision { SMALLEST_INODE } else { raw.inode_size },
            compat: raw.compat,
            incompat: raw.incompat,
            ro_compat: raw.ro_compat,
            uuid: raw.uuid,
            volume_name: raw.label,
            journal_inode: raw.journal_inode,
            last_orphan: raw.last_orphan,
            descriptor_size: raw.descriptor_size,
            errors: raw.error_count,
        }
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

    /// The size of the file system in bytes; its file may be longer.
    pub fn size(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size)
    }

    /// Whether the journal holds changes that are not in place yet (`needs_recovery`), as it stands on the disk: a replay in
    /// memory does not change it. Whether they are read, [`Reader::recovery`](super::Reader::recovery) tells.
    pub fn needs_recovery(&self) -> bool {
        self.has_incompat(incompat::RECOVER)
    }

    pub(super) fn has_compat(&self, bit: u32) -> bool {
        self.compat & bit != 0
    }

    pub(super) fn has_incompat(&self, bit: u32) -> bool {
        self.incompat & bit != 0
    }

    pub(super) fn has_ro_compat(&self, bit: u32) -> bool {
        self.ro_compat & bit != 0
    }

    pub(super) fn group_count(&self) -> u64 {
        (self.blocks - u64::from(self.first_data_block)).div_ceil(self.blocks_per_group.into())
    }

    /// The first block of a group.
    pub(super) fn group_start(&self, group: u64) -> u64 {
        group * u64::from(self.blocks_per_group) + u64::from(self.first_data_block)
    }

    /// Bytes that a group's descriptor takes.
    pub(super) fn group_descriptor_size(&self) -> u16 {
        if self.has_incompat(incompat::BIT64) { self.descriptor_size } else { SMALL_DESCRIPTOR }
    }

    /// What a kernel refuses to mount at first sight (`ext4_fill_super`).
    fn check_form(&self, length: u64) -> Result<(), Error> {
        const BLOCK_SIZES: std::ops::RangeInclusive<u64> = 1024..=65536;
        const WIDE_DESCRIPTORS: std::ops::RangeInclusive<u16> = 64..=1024;
        // A group's bitmap has one block, with a bit for each cluster.
        let most_blocks = self.block_size.saturating_mul(8).saturating_mul(self.cluster_blocks);
        if self.has_incompat(incompat::JOURNAL_DEV) {
            return Err(Error::JournalDevice);
        }
        let descriptor_size = self.group_descriptor_size();
        let is_wide = self.has_incompat(incompat::BIT64);
        let wrong = [
            (!BLOCK_SIZES.contains(&self.block_size), "s_log_block_size"),
            (self.blocks_per_group == 0 || u64::from(self.blocks_per_group) > most_blocks, "s_blocks_per_group"),
            (
                self.inodes_per_group == 0 || u64::from(self.inodes_per_group) > self.block_size.saturating_mul(8),
                "s_inodes_per_group",
            ),
            (
                self.inode_size < SMALLEST_INODE
                    || !self.inode_size.is_power_of_two()
                    || u64::from(self.inode_size) > self.block_size,
                "s_inode_size",
            ),
            (
                is_wide && (!WIDE_DESCRIPTORS.contains(&descriptor_size) || !descriptor_size.is_power_of_two()),
                "s_desc_size",
            ),
            (self.blocks == 0, "s_blocks_count"),
            (u64::from(self.first_data_block) >= self.blocks, "s_first_data_block"),
        ];
        if let Some((_, field)) = wrong.into_iter().find(|(wrong, _)| *wrong) {
            return Err(Error::damaged(format!("the superblock's {field} is none that a file system can have")));
        }
        if self.size() > length {
            return Err(Error::CutOff { length, size: self.size() });
        }
        let descriptors = self.group_count().saturating_mul(descriptor_size.into());
        if descriptors > MOST_DESCRIPTORS {
            return Err(Error::unsupported(format!("it has {descriptors} bytes of group descriptors")));
        }
        Ok(())
    }

    /// Whether a group begins with a superblock, and the descriptors behind it (`ext4_bg_has_super`).
    pub(super) fn group_has_super(&self, group: u64, backups: [u32; 2]) -> bool {
        if self.has_compat(compat::SPARSE_SUPER2) {
            return group == 0 || backups.into_iter().any(|backup| u64::from(backup) == group);
        }
        !self.has_ro_compat(ro_compat::SPARSE_SUPER) || crate::geometry::has_super(group)
    }
}

/// `EXT4_GOOD_OLD_FIRST_INO`
const OLD_FIRST_INODE: u32 = 11;

/// The superblock as the disk has it, and whether its checksum is right.
pub(super) fn read_record(storage: &impl ReadAt) -> Result<(superblock::Superblock, bool), Error> {
    let mut record = [0; superblock::SIZE];
    if storage.size()? < superblock::PRIMARY_OFFSET + record.len() as u64 {
        return Err(Error::NotExt4);
    }
    storage.read_at(&mut record, superblock::PRIMARY_OFFSET)?;
    let (raw, is_sealed) = superblock::Superblock::decode(&record);
    if raw.magic == superblock::MAGIC { Ok((raw, is_sealed)) } else { Err(Error::NotExt4) }
}
