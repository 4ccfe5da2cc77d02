//! The groups' descriptors, of 32 bytes or more, wherever they stand.

use crate::csum::{self, Seed};
use crate::group_descriptor::{self, GroupDescriptor};
use crate::read_at::ReadAt;
use crate::superblock::{incompat, ro_compat};

use super::{Error, Reader, Superblock};

/// What a reader needs of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// `bg_inode_table`.
    pub inode_table: u64,
    /// `bg_block_bitmap`.
    pub block_bitmap: u64,
    /// `bg_inode_bitmap`.
    pub inode_bitmap: u64,
}

impl<S: ReadAt> Reader<S> {
    /// Reads the descriptors of all groups. `backups` are the groups of `s_backup_bgs`, `first_meta_bg` is the
    /// superblock's field.
    pub(super) fn read_groups(&mut self, backups: [u32; 2], first_meta_bg: u32) -> Result<(), Error> {
        let size = usize::from(self.superblock.group_descriptor_size());
        let per_block = self.superblock.block_size / size as u64;
        let count = self.superblock.group_count();
        for index in 0..count.div_ceil(per_block) {
            let block = self.block(self.descriptor_block(index, per_block, backups, first_meta_bg))?;
            for (group, record) in (index * per_block..count).zip(block.chunks_exact(size)) {
                let group = self.group(group, record)?;
                self.groups.push(group);
            }
        }
        Ok(())
    }

    /// Where a block of descriptors stands (`descriptor_loc`).
    fn descriptor_block(&self, index: u64, per_block: u64, backups: [u32; 2], first_meta_bg: u32) -> u64 {
        let superblock = &self.superblock;
        let behind_superblock = crate::superblock::PRIMARY_OFFSET / superblock.block_size + 1;
        if !superblock.has_incompat(incompat::META_BG) || index < first_meta_bg.into() {
            return behind_superblock + index;
        }
        let group = index * per_block;
        let superblocks = u64::from(superblock.group_has_super(group, backups));
        // Blocks of 1 KiB begin before the superblock where clusters are larger.
        let is_behind_boot_block = superblock.block_size == 1024 && index == 0 && superblock.first_data_block == 0;
        superblock.group_start(group) + superblocks + u64::from(is_behind_boot_block)
    }

    fn group(&self, group: u64, record: &[u8]) -> Result<Group, Error> {
        let mut padded = [0; group_descriptor::SIZE];
        let length = record.len().min(padded.len());
        padded[..length].copy_from_slice(&record[..length]);
        let (descriptor, found) = GroupDescriptor::decode_fields(&padded);
        if checksum(&self.superblock, self.seed, group as u32, record).is_some_and(|checksum| checksum != found) {
            self.doubt(format!("group {group}'s descriptor"))?;
        }
        let table = self.table_blocks();
        let end = descriptor.inode_table.checked_add(table);
        if descriptor.inode_table == 0 || end.is_none_or(|end| end > self.superblock.blocks) {
            return Err(Error::damaged(format!("group {group}'s descriptor makes no sense")));
        }
        let GroupDescriptor { inode_table, block_bitmap, inode_bitmap, .. } = descriptor;
        Ok(Group { inode_table, block_bitmap, inode_bitmap })
    }

    /// Blocks of a group's inode table.
    pub(super) fn table_blocks(&self) -> u64 {
        let bytes = u64::from(self.superblock.inodes_per_group) * u64::from(self.superblock.inode_size);
        bytes.div_ceil(self.superblock.block_size)
    }
}

/// The checksum that a descriptor should have; `None` without the features for it.
fn checksum(superblock: &Superblock, seed: Seed, group: u32, record: &[u8]) -> Option<u16> {
    let checksum = group_descriptor::CHECKSUM;
    if superblock.has_ro_compat(ro_compat::METADATA_CSUM) {
        let mut record = record.to_vec();
        record[checksum].fill(0);
        return Some(csum::group_descriptor(seed, group, &record));
    }
    let parts = [&record[..checksum.start], &record[checksum.end..]];
    superblock.has_ro_compat(ro_compat::GDT_CSUM).then(|| csum::old_group_descriptor(&superblock.uuid, group, parts))
}
