//! One inode of the inode table: 256 bytes, of which 160 are fields and the rest holds extended attributes.

use crate::csum::{self, Seed};
use crate::fields::Fields;
use crate::get::Get;
use crate::put::{Put, high16, low16};
use crate::{BLOCK_SIZE, Device, Timestamp};

/// The size of an inode on the disk, in bytes (`s_inode_size`).
pub(crate) const INODE_SIZE: usize = 256;
/// The fields past the first 128 bytes that are in use (`i_extra_isize`).
pub(crate) const EXTRA_SIZE: u16 = 32;
/// The room behind the fields, for extended attributes.
pub(crate) const XATTR_ROOM: usize = INODE_SIZE - 128 - EXTRA_SIZE as usize;
/// The inode's own map of its content (`i_block`), in bytes.
pub(crate) const I_BLOCK_SIZE: usize = 60;
/// What `i_blocks` counts in: 512 bytes.
pub(crate) const SECTORS_PER_BLOCK: u64 = BLOCK_SIZE / 512;

/// The directory is indexed (`EXT4_INDEX_FL`).
pub(crate) const INDEX_FL: u32 = 0x1000;
/// `i_block` is the root of an extent tree (`EXT4_EXTENTS_FL`).
pub(crate) const EXTENTS_FL: u32 = 0x8_0000;
/// `i_blocks` counts in blocks (`EXT4_HUGE_FILE_FL`), which the kernel does past 2^48 units of 512 bytes.
pub(crate) const HUGE_FILE_FL: u32 = 0x4_0000;

/// The most names that an inode may have, and the most links that a directory counts (`EXT4_LINK_MAX`).
pub const LINK_MAX: u32 = 65_000;

/// The content stands in the inode itself (`EXT4_INLINE_DATA_FL`).
pub(crate) const INLINE_DATA_FL: u32 = 0x1000_0000;
/// The content, or the names of a directory, are encrypted (`EXT4_ENCRYPT_FL`).
pub(crate) const ENCRYPT_FL: u32 = 0x800;
/// The inode holds the value of an extended attribute (`EXT4_EA_INODE_FL`).
pub(crate) const EA_INODE_FL: u32 = 0x20_0000;
/// A directory finds names whatever their case (`EXT4_CASEFOLD_FL`).
pub(crate) const CASEFOLD_FL: u32 = 0x4000_0000;

/// Where the halves of the checksum stand: `l_i_checksum_lo` in `osd2`, `i_checksum_hi` behind `i_extra_isize`.
pub(crate) const CHECKSUM_LOW: std::ops::Range<usize> = 124..126;
pub(crate) const CHECKSUM_HIGH: std::ops::Range<usize> = 130..132;

/// An inode's fields (`struct ext4_inode`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawInode {
    /// Type and permissions (`i_mode`).
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The content's size in bytes.
    pub size: u64,
    /// How many names it has; for directories see [`directory_links`].
    pub links: u16,
    /// `i_flags`: [`EXTENTS_FL`], [`INDEX_FL`].
    pub flags: u32,
    /// All its blocks, those of the extent tree and the extended attributes included, in units of 512 bytes; 48 bits.
    pub sectors: u64,
    /// The extent tree's root, a short link's target, a device's number, or zeros (`i_block`).
    pub block: [u8; I_BLOCK_SIZE],
    /// The block with extended attributes; zero when there is none (`i_file_acl`); 48 bits.
    pub file_acl: u64,
    /// The time of access.
    pub access_time: DiskTime,
    /// The time of change.
    pub change_time: DiskTime,
    /// The time of modification.
    pub modification_time: DiskTime,
    /// The time of creation.
    pub creation_time: DiskTime,
    /// The time of deletion, in seconds; zero while the inode is in use (`i_dtime`).
    pub deletion_time: u32,
    /// Counts changes, for NFS (`i_version`).
    pub version: u64,
    /// `i_generation`, which seeds the checksums of all that belongs to the inode.
    pub generation: u32,
    /// The bytes past the first 128 that are fields ([`EXTRA_SIZE`]).
    pub extra_size: u16,
    /// `i_projid`.
    pub project: u32,
    /// `i_obso_faddr` and `i_reserved`, which mean nothing.
    pub unused: (u32, u16),
    /// What is behind the fields: extended attributes, or zeros.
    pub xattrs: [u8; XATTR_ROOM],
}

impl RawInode {
    /// An inode with one name, made and changed at `time`, that holds nothing.
    pub fn new(mode: u16, time: Timestamp) -> Self {
        let time = DiskTime::from(time);
        Self {
            mode,
            uid: 0,
            gid: 0,
            size: 0,
            links: 1,
            flags: 0,
            sectors: 0,
            block: [0; I_BLOCK_SIZE],
            file_acl: 0,
            access_time: time,
            change_time: time,
            modification_time: time,
            creation_time: time,
            deletion_time: 0,
            version: 0,
            generation: 0,
            extra_size: EXTRA_SIZE,
            project: 0,
            unused: (0, 0),
            xattrs: [0; XATTR_ROOM],
        }
    }

    /// The inode as inode `number` of the file system with this seed.
    pub fn encode(&self, number: u32, seed: Seed) -> [u8; INODE_SIZE] {
        let mut bytes = [0; INODE_SIZE];
        let mut put = Put::new(&mut bytes);
        self.clone().fields(&mut put, &mut 0);
        put.end();
        let checksum = csum::inode(seed.inode(number, self.generation), &bytes);
        bytes[CHECKSUM_LOW].copy_from_slice(&low16(checksum).to_le_bytes());
        bytes[CHECKSUM_HIGH].copy_from_slice(&high16(checksum).to_le_bytes());
        bytes
    }

    /// The fields as the disk has them, and the checksum beside them.
    pub fn decode_fields(bytes: &[u8; INODE_SIZE]) -> (Self, u32) {
        let mut inode = Self::new(0, Timestamp { seconds: 0, nanoseconds: 0 });
        let mut found = 0;
        let mut get = Get::new(bytes);
        inode.fields(&mut get, &mut found);
        get.end();
        (inode, found)
    }

    /// An inode as the disk has it; `None` when its checksum is not that of inode `number`.
    pub fn decode(bytes: &[u8; INODE_SIZE], number: u32, seed: Seed) -> Option<Self> {
        let (inode, found) = Self::decode_fields(bytes);
        let mut bytes = *bytes;
        bytes[CHECKSUM_LOW].fill(0);
        bytes[CHECKSUM_HIGH].fill(0);
        (csum::inode(seed.inode(number, inode.generation), &bytes) == found).then_some(inode)
    }

    /// The fields in the order of the disk; the checksum comes last to be known.
    fn fields(&mut self, fields: &mut impl Fields, checksum: &mut u32) {
        fields
            .u16(&mut self.mode)
            .low16(&mut self.uid)
            .low32(&mut self.size)
            .u32(&mut self.access_time.seconds)
            .u32(&mut self.change_time.seconds)
            .u32(&mut self.modification_time.seconds)
            .u32(&mut self.deletion_time)
            .low16(&mut self.gid)
            .u16(&mut self.links)
            .low32(&mut self.sectors)
            .u32(&mut self.flags)
            .low32(&mut self.version)
            .bytes(&mut self.block)
            .u32(&mut self.generation)
            .low32(&mut self.file_acl)
            .high32(&mut self.size)
            .u32(&mut self.unused.0)
            .middle16(&mut self.sectors)
            .middle16(&mut self.file_acl)
            .high16(&mut self.uid)
            .high16(&mut self.gid)
            .low16(checksum)
            .u16(&mut self.unused.1)
            .u16(&mut self.extra_size)
            .high16(checksum)
            .u32(&mut self.change_time.extra)
            .u32(&mut self.modification_time.extra)
            .u32(&mut self.access_time.extra)
            .u32(&mut self.creation_time.seconds)
            .u32(&mut self.creation_time.extra)
            .high32(&mut self.version)
            .u32(&mut self.project)
            .bytes(&mut self.xattrs);
    }
}

/// A time as the disk has it (`EXT4_FITS_IN_INODE` extra fields in use).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DiskTime {
    /// The low 32 bits of the seconds, as a signed number.
    pub seconds: u32,
    /// Two bits of epoch below thirty of nanoseconds (`ext4_encode_extra_time`).
    pub extra: u32,
}

impl DiskTime {
    const EPOCH_BITS: u32 = 2;
    /// 1901-12-13 20:45:52, the first second (`EXT4_TIMESTAMP_MIN`).
    const MIN: i64 = i32::MIN as i64;
    /// 2446-05-10 22:38:55, the last second (`EXT4_EXTRA_TIMESTAMP_MAX`).
    const MAX: i64 = (1 << (32 + Self::EPOCH_BITS)) + Self::MIN - 1;
    const MAX_NANOSECONDS: u32 = 999_999_999;
}

impl From<Timestamp> for DiskTime {
    /// Times that the disk cannot hold become the nearest that it can.
    fn from(time: Timestamp) -> Self {
        let (seconds, nanoseconds) = match time.seconds {
            ..Self::MIN => (Self::MIN, 0),
            Self::MIN..=Self::MAX => (time.seconds, time.nanoseconds.min(Self::MAX_NANOSECONDS)),
            _ => (Self::MAX, Self::MAX_NANOSECONDS),
        };
        // The epoch counts how often 2^32 seconds must be added to the low word, read as a signed number.
        let low = seconds as i32;
        let epoch = ((seconds - i64::from(low)) >> 32) as u32;
        Self { seconds: low as u32, extra: nanoseconds << Self::EPOCH_BITS | epoch }
    }
}

impl From<DiskTime> for Timestamp {
    /// `ext4_decode_extra_time`. The nanoseconds are what stands there, which damage can make a second or more.
    fn from(time: DiskTime) -> Self {
        let epoch = i64::from(time.extra & ((1 << DiskTime::EPOCH_BITS) - 1));
        let seconds = i64::from(time.seconds as i32) + (epoch << 32);
        Self { seconds, nanoseconds: time.extra >> DiskTime::EPOCH_BITS }
    }
}

/// The link count of a directory: itself, its name, and a `..` in each subdirectory.
///
/// Past [`LINK_MAX`] it is 1, which means "not counted" (`dir_nlink`).
pub(crate) fn directory_links(subdirectories: usize) -> u16 {
    match u16::try_from(subdirectories.saturating_add(2)) {
        Ok(links) if u32::from(links) <= LINK_MAX => links,
        _ => 1,
    }
}

/// A symbolic link's target as `i_block`, with a NUL behind it; `None` when it needs a block of its own
/// (`ext4_inode_is_fast_symlink`). Such an inode has no [`EXTENTS_FL`].
pub(crate) fn fast_symlink(target: &[u8]) -> Option<[u8; I_BLOCK_SIZE]> {
    let mut block = [0; I_BLOCK_SIZE];
    if target.len() >= I_BLOCK_SIZE {
        return None;
    }
    block[..target.len()].copy_from_slice(target);
    Some(block)
}

/// A device's number as `i_block`: small numbers in the first word (`old_encode_dev`), others in the second
/// (`new_encode_dev`); `None` past 12 bits of major and 20 bits of minor.
pub(crate) fn device(device: Device) -> Option<[u8; I_BLOCK_SIZE]> {
    const MAJOR_BITS: u32 = 12;
    const MINOR_BITS: u32 = 20;
    let Device { major, minor } = device;
    if major >> MAJOR_BITS != 0 || minor >> MINOR_BITS != 0 {
        return None;
    }
    let (old, new) = match (u8::try_from(major), u8::try_from(minor)) {
        (Ok(major), Ok(minor)) => (u32::from(u16::from_be_bytes([major, minor])), 0),
        _ => (0, minor & 0xff | major << 8 | (minor & !0xff) << MAJOR_BITS),
    };
    let mut block = [0; I_BLOCK_SIZE];
    Put::new(&mut block).u32(old).u32(new).skip_rest();
    Some(block)
}

/// The number that a device's `i_block` holds, in the old form or the new (`old_decode_dev`, `new_decode_dev`).
pub(crate) fn device_number(block: &[u8; I_BLOCK_SIZE]) -> Device {
    let words = block.as_chunks().0;
    let (old, new) = (u32::from_le_bytes(words[0]), u32::from_le_bytes(words[1]));
    if old != 0 {
        return Device { major: old >> 8 & 0xff, minor: old & 0xff };
    }
    Device { major: (new & 0xf_ff00) >> 8, minor: new & 0xff | new >> 12 & 0xf_ff00 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_time(seconds: i64, nanoseconds: u32) -> (u32, u32) {
        let time = DiskTime::from(Timestamp { seconds, nanoseconds });
        if (DiskTime::MIN..=DiskTime::MAX).contains(&seconds) && nanoseconds <= DiskTime::MAX_NANOSECONDS {
            assert_eq!(Timestamp::from(time), Timestamp { seconds, nanoseconds }, "read back");
        }
        (time.seconds, time.extra)
    }

    #[test]
    fn what_is_written_is_read_back_by_its_own_number_only() {
        let time = |seconds, extra| DiskTime { seconds, extra };
        let inode = RawInode {
            mode: 0o100_755,
            uid: 0x1_0002,
            gid: 0x3_0004,
            size: 0x5_0000_0006,
            links: 7,
            flags: EXTENTS_FL,
            sectors: 0x8_0000_0009,
            block: [10; I_BLOCK_SIZE],
            file_acl: 0xB_0000_000C,
            access_time: time(13, 14),
            change_time: time(15, 16),
            modification_time: time(17, 18),
            creation_time: time(19, 20),
            deletion_time: 21,
            version: 0x22_0000_0023,
            generation: 24,
            extra_size: EXTRA_SIZE,
            project: 25,
            unused: (26, 27),
            xattrs: [28; XATTR_ROOM],
        };
        let seed = Seed::new(&[7; 16]);
        let mut bytes = inode.encode(12, seed);
        assert_eq!(RawInode::decode(&bytes, 12, seed), Some(inode));
        assert_eq!(RawInode::decode(&bytes, 13, seed), None);
        bytes[255] ^= 1;
        assert_eq!(RawInode::decode(&bytes, 12, seed), None);
    }

    #[test]
    fn times_follow_the_table_of_the_kernels_documentation() {
        // "Inode Timestamps" in Documentation/filesystems/ext4: epoch bits, and the seconds' range that they give.
        assert_eq!(disk_time(-0x8000_0000, 0), (0x8000_0000, 0), "1901-12-13");
        assert_eq!(disk_time(-1, 0), (0xffff_ffff, 0), "1969-12-31");
        assert_eq!(disk_time(0, 0), (0, 0), "1970-01-01");
        assert_eq!(disk_time(0x7fff_ffff, 0), (0x7fff_ffff, 0), "2038-01-19");
        assert_eq!(disk_time(0x8000_0000, 0), (0x8000_0000, 1), "2038-01-19");
        assert_eq!(disk_time(0x1_0000_0000, 0), (0, 1), "2106-02-07");
        assert_eq!(disk_time(0x1_8000_0000, 0), (0x8000_0000, 2), "2174-02-25");
        assert_eq!(disk_time(0x2_8000_0000, 0), (0x8000_0000, 3), "2310-04-04");
        assert_eq!(disk_time(0x3_7fff_ffff, 999_999_999), (0x7fff_ffff, 999_999_999 << 2 | 3), "2446-05-10");
    }

    #[test]
    fn times_out_of_range_become_the_nearest_in_it() {
        assert_eq!(disk_time(i64::MIN, 5), disk_time(-0x8000_0000, 0));
        assert_eq!(disk_time(0x3_8000_0000, 0), disk_time(0x3_7fff_ffff, 999_999_999));
        assert_eq!(disk_time(1, u32::MAX), disk_time(1, 999_999_999));
    }

    #[test]
    fn small_device_numbers_take_the_old_form_and_others_the_new() {
        let words = |major, minor| {
            let block = device(Device { major, minor })?;
            assert_eq!(device_number(&block), Device { major, minor }, "read back");
            let words = block.as_chunks().0;
            Some((u32::from_le_bytes(words[0]), u32::from_le_bytes(words[1])))
        };
        assert_eq!(words(1, 3), Some((0x0103, 0)));
        assert_eq!(words(255, 255), Some((0xffff, 0)));
        assert_eq!(words(259, 0), Some((0, 0x1_0300)));
        assert_eq!(words(8, 256), Some((0, 0x10_0800)));
        assert_eq!(words(0xfff, 0xf_ffff), Some((0, 0xffff_ffff)));
        assert_eq!(words(0x1000, 0), None);
        assert_eq!(words(0, 0x10_0000), None);
    }

    #[test]
    fn targets_up_to_59_bytes_stay_in_the_inode() {
        assert_eq!(fast_symlink(&[b'a'; 59]).unwrap(), *[&[b'a'; 59][..], &[0]].concat());
        assert_eq!(fast_symlink(&[b'a'; 60]), None);
    }

    #[test]
    fn a_directory_with_more_subdirectories_than_links_is_not_counted() {
        assert_eq!([0, 64_998, 64_999, 70_000, usize::MAX].map(directory_links), [2, 65_000, 1, 1, 1]);
    }
}
