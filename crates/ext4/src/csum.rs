//! The checksums of `metadata_csum`: crc32c without the final inversion, seeded by what the bytes belong to.
//!
//! Each rule is one function with the kernel's name for it. A structure's own checksum field counts as zero, or is
//! left out where the rule says so.

/// What a checksum starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    /// Belongs to no file system: superblocks and the journal's superblock.
    pub const NONE: Self = Self(!0);

    /// The file system's seed (`s_csum_seed`), from its UUID.
    pub fn new(uuid: &[u8; 16]) -> Self {
        Self::NONE.with(uuid)
    }

    /// The seed that the superblock names (`s_checksum_seed`), where the UUID has changed since.
    pub fn named(seed: u32) -> Self {
        Self(seed)
    }

    /// The seed of all that belongs to one inode (`i_csum_seed`).
    pub fn inode(self, number: u32, generation: u32) -> Self {
        self.with(&number.to_le_bytes()).with(&generation.to_le_bytes())
    }

    /// The checksum of `bytes` (`ext4_chksum`).
    pub fn crc(self, bytes: &[u8]) -> u32 {
        // The crate inverts before and after, as most users of crc32c do; ext4 does neither.
        !crc32c::crc32c_append(!self.0, bytes)
    }

    /// The seed for what follows `bytes`.
    pub fn with(self, bytes: &[u8]) -> Self {
        Self(self.crc(bytes))
    }
}

/// `ext4_superblock_csum`: all before `s_checksum`, the last word.
pub(crate) fn superblock(superblock: &[u8; 1024]) -> u32 {
    Seed::NONE.crc(&superblock[..superblock.len() - size_of::<u32>()])
}

/// `ext4_group_desc_csum`: the low half; `bg_checksum` is zero in `descriptor`.
pub(crate) fn group_descriptor(seed: Seed, group: u32, descriptor: &[u8]) -> u16 {
    seed.with(&group.to_le_bytes()).crc(descriptor) as u16
}

/// `ext4_block_bitmap_csum_set` and `ext4_inode_bitmap_csum_set`: a block bitmap whole (4,096 bytes), an inode bitmap
/// as far as it has inodes (`s_inodes_per_group / 8` bytes).
pub(crate) fn bitmap(seed: Seed, bitmap: &[u8]) -> u32 {
    seed.crc(bitmap)
}

/// `ext4_group_desc_csum` with the feature `uninit_bg` alone: crc16 over the UUID, the group's number and the descriptor
/// without its checksum, which is all before `bg_checksum` and all behind it.
pub(crate) fn old_group_descriptor(uuid: &[u8; 16], group: u32, [before, behind]: [&[u8]; 2]) -> u16 {
    [uuid, &group.to_le_bytes()[..], before, behind].into_iter().fold(!0, crc16)
}

/// `crc16` of the kernel: the polynomial 0x8005, the lowest bit first.
fn crc16(start: u16, bytes: &[u8]) -> u16 {
    const REVERSED_POLYNOMIAL: u16 = 0xa001;
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { REVERSED_POLYNOMIAL } else { 0 })
    })
}

/// `crc32_be` of the kernel: the polynomial 0x04c11db7, the highest bit first. A transaction of the journal has it over its
/// descriptors and blocks (`JBD2_CRC32_CHKSUM`).
pub(crate) fn crc32_be(start: u32, bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x04c1_1db7;
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < table.len() {
            let mut crc = (index as u32) << 24;
            let mut bit = 0;
            while bit < 8 {
                crc = crc << 1 ^ if crc >> 31 == 1 { POLYNOMIAL } else { 0 };
                bit += 1;
            }
            table[index] = crc;
            index += 1;
        }
        table
    };
    bytes.iter().fold(start, |crc, byte| crc << 8 ^ TABLE[(crc >> 24) as usize ^ usize::from(*byte)])
}

/// `ext4_inode_csum`: the whole inode, both halves of its checksum zero. `seed` is the inode's.
pub(crate) fn inode(seed: Seed, inode: &[u8]) -> u32 {
    seed.crc(inode)
}

/// `ext4_extent_block_csum`: the header and room for `eh_max` entries, which is all before the tail. `seed` is the
/// inode's.
pub(crate) fn extent_block(seed: Seed, before_tail: &[u8]) -> u32 {
    seed.crc(before_tail)
}

/// `ext4_dirblock_csum`: all before the tail of a directory's leaf. `seed` is the inode's.
pub(crate) fn directory_leaf(seed: Seed, before_tail: &[u8]) -> u32 {
    seed.crc(before_tail)
}

/// `ext4_dx_csum`: the block of a directory's index up to its last used entry, then the tail (`dt_reserved`, and zeros for
/// `dt_checksum`); unused entries do not count. `seed` is the inode's.
pub(crate) fn directory_index(seed: Seed, up_to_last_entry: &[u8], reserved: [u8; 4]) -> u32 {
    seed.with(up_to_last_entry).with(&reserved).crc(&[0; 4])
}

/// `ext4_xattr_block_csum`: bound to its block's number, not to an inode, because inodes may share the block;
/// `h_checksum` is zero in `bytes`. `seed` is the file system's.
pub(crate) fn xattr_block(seed: Seed, block: u64, bytes: &[u8]) -> u32 {
    seed.with(&block.to_le_bytes()).crc(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_the_raw_register_of_crc32c() {
        // The check value of CRC-32C in the catalogue of parametrised CRCs, with its final inversion undone.
        assert_eq!(Seed::NONE.crc(b"123456789"), !0xe306_9283);
        assert_eq!(Seed::NONE.with(b"1234").crc(b"56789"), !0xe306_9283);
        // CRC-16/MODBUS, which is the kernel's crc16 from all ones on.
        assert_eq!(crc16(!0, b"123456789"), 0x4b37);
        // CRC-32/MPEG-2, which is the kernel's crc32_be from all ones on.
        assert_eq!(crc32_be(!0, b"123456789"), 0x0376_e6e7);
    }
}
