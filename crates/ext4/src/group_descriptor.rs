//! Group descriptors: where each group's bitmaps and inode table stand, and what is free in it.

use crate::csum::{self, Seed};
use crate::geometry::DESCRIPTOR_SIZE;
use crate::put::{Put, high16, high32, low16, low32};

/// Bytes of a descriptor, as an array's length.
pub(crate) const SIZE: usize = DESCRIPTOR_SIZE as usize;
/// Where `bg_checksum` stands.
const CHECKSUM: std::ops::Range<usize> = 0x1E..0x20;

/// No inode of the group is in use, and its bitmap is not written (`EXT4_BG_INODE_UNINIT`).
pub(crate) const INODE_UNINIT: u16 = 0x1;
/// Only a backup is in use in the group, and its bitmap is not written (`EXT4_BG_BLOCK_UNINIT`).
pub(crate) const BLOCK_UNINIT: u16 = 0x2;
/// The inode table's unused part reads as zeros, so the kernel need not write any (`EXT4_BG_INODE_ZEROED`).
pub(crate) const INODE_ZEROED: u16 = 0x4;

/// A group's descriptor (`struct ext4_group_desc`).
#[derive(Clone, Debug, Default)]
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
}

impl GroupDescriptor {
    /// The descriptor of the group with this number.
    pub fn encode(&self, group: u64, seed: Seed) -> [u8; SIZE] {
        let mut record = [0; SIZE];
        Put::new(&mut record)
            .u32(low32(self.block_bitmap))
            .u32(low32(self.inode_bitmap))
            .u32(low32(self.inode_table))
            .u16(low16(self.free_blocks))
            .u16(low16(self.free_inodes))
            .u16(low16(self.used_directories))
            .u16(self.flags)
            .u32(0) // bg_exclude_bitmap_lo
            .u16(low16(self.block_bitmap_checksum))
            .u16(low16(self.inode_bitmap_checksum))
            .u16(low16(self.unused_inodes))
            .u16(0) // bg_checksum, below
            .u32(high32(self.block_bitmap))
            .u32(high32(self.inode_bitmap))
            .u32(high32(self.inode_table))
            .u16(high16(self.free_blocks))
            .u16(high16(self.free_inodes))
            .u16(high16(self.used_directories))
            .u16(high16(self.unused_inodes))
            .u32(0) // bg_exclude_bitmap_hi
            .u16(high16(self.block_bitmap_checksum))
            .u16(high16(self.inode_bitmap_checksum))
            .u32(0) // bg_reserved
            .end();
        let checksum = csum::group_descriptor(seed, group as u32, &record);
        record[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        record
    }
}
