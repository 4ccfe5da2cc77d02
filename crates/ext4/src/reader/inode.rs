//! Inodes of any size, as `stat(2)` and `statx(2)` would tell of them.

use crate::csum::{self, Seed};
use crate::file_type::FileType;
use crate::inode::{self, CHECKSUM_HIGH, CHECKSUM_LOW, HUGE_FILE_FL, INODE_SIZE, RawInode};
use crate::read_at::ReadAt;
use crate::superblock::{incompat, ro_compat};
use crate::{Device, Timestamp, numbering};

use super::superblock::SMALLEST_INODE;
use super::{Error, Reader};

/// An inode that is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Its number.
    pub number: u32,
    /// What it is.
    pub file_type: FileType,
    /// Permissions, with the setid and sticky bits; no type.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The project (`i_projid`); 0 without the feature.
    pub project: u32,
    /// How many names it has; for directories, 1 means that they are not counted.
    pub links: u16,
    /// The content's size in bytes.
    pub size: u64,
    /// Bytes that it takes on the disk, its map and its block of extended attributes included.
    pub allocated: u64,
    /// The time of access.
    pub accessed: Timestamp,
    /// The time of modification.
    pub modified: Timestamp,
    /// The time of change.
    pub changed: Timestamp,
    /// The time of creation; `None` where inodes are too small to hold it.
    pub created: Option<Timestamp>,
    /// The number of a device.
    pub device: Option<Device>,
    /// `i_flags`
    pub flags: u32,
    /// `i_generation`
    pub generation: u32,
    pub(super) raw: RawInode,
    /// What stands behind the fields: extended attributes, if any.
    pub(super) tail: Box<[u8]>,
    /// What the checksums of its blocks start from.
    pub(super) seed: Seed,
}

impl Inode {
    /// Whether a flag of `i_flags` is set.
    pub(super) fn has_flag(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

impl<S: ReadAt> Reader<S> {
    /// Reads the inode of this number.
    ///
    /// # Errors
    /// When there is none, it is not in use, or damaged.
    pub fn inode(&self, number: u32) -> Result<Inode, Error> {
        let bytes = self.inode_record(number)?;
        let extra_size = extra_size(&bytes);
        let fields = usize::from(SMALLEST_INODE) + usize::from(extra_size);
        if fields > bytes.len() || !extra_size.is_multiple_of(4) {
            return Err(Error::damaged(format!(
                "inode {number} has {extra_size} bytes of fields behind the first 128"
            )));
        }
        let mut record = [0; INODE_SIZE];
        let known = fields.min(INODE_SIZE);
        record[..known].copy_from_slice(&bytes[..known]);
        let (raw, found) = RawInode::decode_fields(&record);
        let seed = self.seed.inode(number, raw.generation);
        if self.has_checksums() && !is_sealed(&bytes, fields, seed, found) {
            self.doubt(format!("inode {number}"))?;
        }
        if raw.links == 0 {
            return Err(Error::damaged(format!("a name leads to inode {number}, which is not in use")));
        }
        self.describe(number, raw, seed, bytes[fields..].into(), fields)
    }

    fn inode_record(&self, number: u32) -> Result<Vec<u8>, Error> {
        let superblock = &self.superblock;
        let index = number.checked_sub(1).filter(|_| number <= superblock.inodes);
        let place = index.map(|index| (index / superblock.inodes_per_group, index % superblock.inodes_per_group));
        let group = place.and_then(|(group, place)| Some((self.groups.get(group as usize)?, place)));
        let (group, place) =
            group.ok_or_else(|| Error::damaged(format!("a name leads to inode {number}, which is none")))?;
        let mut bytes = vec![0; superblock.inode_size.into()];
        self.remaining.spend_structure(bytes.len() as u64)?;
        let offset = group.inode_table * superblock.block_size + u64::from(place) * u64::from(superblock.inode_size);
        self.storage.read_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn describe(&self, number: u32, raw: RawInode, seed: Seed, tail: Box<[u8]>, fields: usize) -> Result<Inode, Error> {
        /// Where the creation time ends (`i_crtime_extra`).
        const END_OF_CREATION_TIME: usize = 152;
        const PERMISSIONS: u16 = 0o7777;
        const HUGE_UNIT: u64 = 512;
        let superblock = &self.superblock;
        let file_type =
            FileType::of(raw.mode).ok_or_else(|| Error::damaged(format!("inode {number} is of no known type")))?;
        let is_large = file_type == FileType::Regular || superblock.has_incompat(incompat::LARGE_DIR);
        let is_huge = superblock.has_ro_compat(ro_compat::HUGE_FILE);
        let sectors = if is_huge { raw.sectors } else { raw.sectors & u64::from(u32::MAX) };
        let unit = if is_huge && raw.flags & HUGE_FILE_FL != 0 { superblock.block_size } else { HUGE_UNIT };
        let is_device = matches!(file_type, FileType::BlockDevice | FileType::CharacterDevice);
        Ok(Inode {
            number,
            file_type,
            mode: raw.mode & PERMISSIONS,
            uid: raw.uid,
            gid: raw.gid,
            project: if superblock.has_ro_compat(ro_compat::PROJECT) { raw.project } else { 0 },
            links: raw.links,
            size: if is_large { raw.size } else { raw.size & u64::from(u32::MAX) },
            allocated: sectors.saturating_mul(unit),
            accessed: raw.access_time.into(),
            modified: raw.modification_time.into(),
            changed: raw.change_time.into(),
            created: (fields >= END_OF_CREATION_TIME).then(|| raw.creation_time.into()),
            device: is_device.then(|| inode::device_number(&raw.block)),
            flags: raw.flags,
            generation: raw.generation,
            raw,
            tail,
            seed,
        })
    }

    /// The inode of a name: none of the file system's own.
    pub(super) fn named_inode(&self, number: u32) -> Result<Inode, Error> {
        if number < self.superblock.first_inode && number != numbering::ROOT {
            return Err(Error::damaged(format!("a name leads to inode {number}, which is the file system's own")));
        }
        self.inode(number)
    }
}

/// `i_extra_isize`; the smallest inodes have no fields behind the first 128 bytes.
fn extra_size(bytes: &[u8]) -> u16 {
    let field = bytes.get(usize::from(SMALLEST_INODE)..).and_then(<[u8]>::first_chunk);
    field.map_or(0, |field| u16::from_le_bytes(*field))
}

/// Whether the checksum is the inode's (`ext4_inode_csum_verify`). Only its low half is kept where the fields end before
/// the high one.
fn is_sealed(bytes: &[u8], fields: usize, seed: Seed, found: u32) -> bool {
    let mut bytes = bytes.to_vec();
    bytes[CHECKSUM_LOW].fill(0);
    let has_high = fields >= CHECKSUM_HIGH.end;
    if has_high {
        bytes[CHECKSUM_HIGH].fill(0);
    }
    let checksum = csum::inode(seed, &bytes);
    if has_high { checksum == found } else { checksum as u16 == found as u16 }
}
