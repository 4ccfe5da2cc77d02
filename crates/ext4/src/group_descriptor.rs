//! Group descriptors: where each group's bitmaps and inode table stand, and what is free in it.

use crate::csum::{self, Seed};
use crate::fields::Fields;
use crate::geometry::DESCRIPTOR_SIZE;
use crate::get::Get;
use crate::put::Put;

/// Bytes of a descriptor, as an array's length.
pub(crate) const SIZE: usize = DESCRIPTOR_SIZE as usize;
/// Where `bg_checksum` stands.
pub(crate) const CHECKSUM: std::ops::Range<usize> = 0x1E..0x20;

/// No inode of the group is in use, and its bitmap is not written (`EXT4_BG_INODE_UNINIT`).
pub(crate) const INODE_UNINIT: u16 = 0x1;
/// Only a backup is in use in the group, and its bitmap is not written (`EXT4_BG_BLOCK_UNINIT`).
pub(crate) const BLOCK_UNINIT: u16 = 0x2;
/// The inode table's unused part reads as zeros, so the kernel need not write any (`EXT4_BG_INODE_ZEROED`).
pub(crate) const INODE_ZEROED: u16 = 0x4;

/// A group's descriptor (`struct ext4_group_desc`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupDescriptor {
    /// `bg_block_bitmap`.
    pub block_bitmap: u64,
    /// `bg_inode_bitmap`.
    pub inode_bitmap: u64,
    /// `bg_inode_table`.
    pub inode_table: u64,
    /// `bg_free_blocks_count`.
    pub free_blocks: u32,
    /// `bg_free_inodes_count`.
    pub free_inodes: u32,
    /// `bg_used_dirs_count`.
    pub used_directories: u32,
    /// `bg_flags`.
    pub flags: u16,
    /// `bg_block_bitmap_csum`; 0 where the bitmap is not written.
    pub block_bitmap_checksum: u32,
    /// `bg_inode_bitmap_csum`; 0 where the bitmap is not written.
    pub inode_bitmap_checksum: u32,
    /// Inodes at the end of the table that were never in use (`bg_itable_unused`).
    pub unused_inodes: u32,
    /// `bg_exclude_bitmap`, of snapshots, which no kernel has.
    pub exclude_bitmap: u64,
    /// `bg_reserved`.
    pub reserved: u32,
}

impl GroupDescriptor {
    /// The descriptor of the group with this number.
    pub fn encode(&self, group: u64, seed: Seed) -> [u8; SIZE] {
        let mut record = [0; SIZE];
        let mut put = Put::new(&mut record);
        self.clone().fields(&mut put, &mut 0);
        put.end();
        let checksum = csum::group_descriptor(seed, group as u32, &record);
        record[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        record
    }

    /// The fields as the disk has them, and the checksum beside them.
    pub fn decode_fields(record: &[u8; SIZE]) -> (Self, u16) {
        let mut descriptor = Self::default();
        let mut found = 0;
        let mut get = Get::new(record);
        descriptor.fields(&mut get, &mut found);
        get.end();
        (descriptor, found)
    }

    /// A descriptor as the disk has it; `None` when its checksum is not that of the group with this number.
    pub fn decode(record: &[u8; SIZE], group: u64, seed: Seed) -> Option<Self> {
        let (descriptor, found) = Self::decode_fields(record);
        let mut record = *record;
        record[CHECKSUM].fill(0);
        (csum::group_descriptor(seed, group as u32, &record) == found).then_some(descriptor)
    }

    /// `struct ext4_group_desc`; the checksum (`bg_checksum`) comes last to be known.
    fn fields(&mut self, fields: &mut impl Fields, checksum: &mut u16) {
        fields
            .low32(&mut self.block_bitmap)
            .low32(&mut self.inode_bitmap)
            .low32(&mut self.inode_table)
            .low16(&mut self.free_blocks)
            .low16(&mut self.free_inodes)
            .low16(&mut self.used_directories)
            .u16(&mut self.flags)
            .low32(&mut self.exclude_bitmap)
            .low16(&mut self.block_bitmap_checksum)
            .low16(&mut self.inode_bitmap_checksum)
            .low16(&mut self.unused_inodes)
            .u16(checksum)
            .high32(&mut self.block_bitmap)
            .high32(&mut self.inode_bitmap)
            .high32(&mut self.inode_table)
            .high16(&mut self.free_blocks)
            .high16(&mut self.free_inodes)
            .high16(&mut self.used_directories)
            .high16(&mut self.unused_inodes)
            .high32(&mut self.exclude_bitmap)
            .high16(&mut self.block_bitmap_checksum)
            .high16(&mut self.inode_bitmap_checksum)
            .u32(&mut self.reserved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_by_its_own_group_only() {
        let descriptor = GroupDescriptor {
            block_bitmap: 0x1_0000_0002,
            inode_bitmap: 0x3_0000_0004,
            inode_table: 0x5_0000_0006,
            free_blocks: 0x7_0008,
            free_inodes: 0x9_000A,
            used_directories: 0xB_000C,
            flags: INODE_ZEROED,
            block_bitmap_checksum: 0x1234_5678,
            inode_bitmap_checksum: 0x9ABC_DEF0,
            unused_inodes: 0xD_000E,
            exclude_bitmap: 0xF_0000_0010,
            reserved: 0x11,
        };
        let seed = Seed::new(&[7; 16]);
        let mut record = descriptor.encode(3, seed);
        assert_eq!(GroupDescriptor::decode(&record, 3, seed), Some(descriptor));
        assert_eq!(GroupDescriptor::decode(&record, 4, seed), None);
        record[0] ^= 1;
        assert_eq!(GroupDescriptor::decode(&record, 3, seed), None);
    }
}
