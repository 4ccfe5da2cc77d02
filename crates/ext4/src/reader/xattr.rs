//! Extended attributes: in the tail of the inode, in a block, and long values in inodes of their own (`ea_inode`).

use crate::csum;
use crate::inode::EA_INODE_FL;
use crate::read_at::ReadAt;
use crate::superblock::incompat;
use crate::xattr::{self, BLOCK_HEADER_SIZE, ENTRY_SIZE, INODE_HEADER_SIZE, MAGIC, PAD};
use crate::{Xattr, acl};

use super::{Error, Inode, Reader};

/// The longest value that the kernel keeps (`EXT4_XATTR_SIZE_MAX`), in bytes.
const LONGEST_VALUE: u32 = 1 << 24;
/// `EXT4_XATTR_INDEX_SYSTEM`
const SYSTEM: u8 = 7;

/// An entry as the disk has it (`struct ext4_xattr_entry`).
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    index: u8,
    name: &'a [u8],
    /// Where the value begins (`e_value_offs`).
    offset: u16,
    /// The inode that holds the value; 0 when it stands beside the entries.
    value_inode: u32,
    size: u32,
    hash: u32,
}

impl<S: ReadAt> Reader<S> {
    /// The extended attributes of an inode, under the names that user space has for them: first those in the inode, then
    /// those in its block.
    ///
    /// # Errors
    /// When they are damaged, or the host cannot read.
    pub fn xattrs(&self, inode: &Inode) -> Result<Vec<Xattr>, Error> {
        let mut xattrs = Vec::new();
        if let Some(body) = in_inode(inode) {
            for entry in entries(body).ok_or_else(|| wrong(inode))? {
                xattrs.extend(self.xattr(inode, &entry, body)?);
            }
        }
        let block = self.attribute_block(inode);
        if block != 0 {
            let bytes = self.read_attribute_block(inode, block)?;
            for entry in entries(&bytes[BLOCK_HEADER_SIZE..]).ok_or_else(|| wrong(inode))? {
                let xattr = self.xattr(inode, &entry, &bytes)?;
                self.check_hash(inode, &entry, &bytes)?;
                xattrs.extend(xattr);
            }
        }
        Ok(xattrs)
    }

    /// The block with extended attributes; 0 when there is none.
    pub(super) fn attribute_block(&self, inode: &Inode) -> u64 {
        let is_wide = self.superblock.has_incompat(incompat::BIT64);
        if is_wide { inode.raw.file_acl } else { inode.raw.file_acl & u64::from(u32::MAX) }
    }

    fn read_attribute_block(&self, inode: &Inode, number: u64) -> Result<Vec<u8>, Error> {
        if !self.is_within(number, 1) {
            return Err(wrong(inode));
        }
        let mut bytes = self.block(number)?;
        let header = bytes.first_chunk::<BLOCK_HEADER_SIZE>().ok_or_else(|| wrong(inode))?;
        let [magic, _, blocks, _, checksum] = words(header);
        if magic != MAGIC || blocks != 1 {
            return Err(wrong(inode));
        }
        bytes[xattr::CHECKSUM].fill(0);
        if self.has_checksums() && csum::xattr_block(self.seed, number, &bytes) != checksum {
            self.doubt(format!("the block of extended attributes of inode {}", inode.number))?;
        }
        Ok(bytes)
    }

    /// An attribute with its value, which stands in `area`; `None` for one that user space does not see.
    fn xattr(&self, inode: &Inode, entry: &Entry<'_>, area: &[u8]) -> Result<Option<Xattr>, Error> {
        let Some(name) = xattr::full_name(entry.index, entry.name) else { return Ok(None) };
        let value = match entry.value_inode {
            0 => value(entry, area).ok_or_else(|| wrong(inode))?.to_vec(),
            number => self.value_in_inode(inode, entry, number)?,
        };
        let value = match xattr::is_acl(entry.index) {
            true => acl::from_disk(&value).ok_or_else(|| wrong(inode))?,
            false => value,
        };
        Ok(Some(Xattr { name: name.into(), value: value.into() }))
    }

    /// A value in an inode of its own (`ext4_xattr_inode_get`), whose hash its time of access holds.
    fn value_in_inode(&self, inode: &Inode, entry: &Entry<'_>, number: u32) -> Result<Vec<u8>, Error> {
        let holder = self.inode(number)?;
        if !holder.has_flag(EA_INODE_FL) || holder.size != u64::from(entry.size) || entry.size > LONGEST_VALUE {
            return Err(wrong(inode));
        }
        let mut value = vec![0; entry.size as usize];
        self.fill(&holder, 0, &mut value)?;
        let hash = self.seed.crc(&value);
        // Lustre's, from before the kernel had them: they name their file, and have no hash.
        let is_old = holder.raw.modification_time.seconds == inode.number && holder.generation == inode.generation;
        if holder.raw.access_time.seconds != hash && !is_old {
            self.doubt(format!("the extended attribute in inode {number}"))?;
        }
        Ok(value)
    }

    /// The hash of an entry in a block is what lets equal blocks be shared, so it is of name and value. Whoever does not
    /// know it writes 0.
    fn check_hash(&self, inode: &Inode, entry: &Entry<'_>, block: &[u8]) -> Result<(), Error> {
        if entry.hash == 0 || entry.value_inode != 0 {
            return Ok(());
        }
        let value = value(entry, block).unwrap_or_default();
        if xattr::hashes(entry.name, value).contains(&entry.hash) {
            return Ok(());
        }
        self.doubt(format!("an extended attribute of inode {}", inode.number))
    }
}

/// What `inline_data` keeps behind `i_block`.
pub(super) fn inline_data(inode: &Inode) -> Result<Option<Vec<u8>>, Error> {
    let Some(body) = in_inode(inode) else { return Ok(None) };
    let entries = entries(body).ok_or_else(|| wrong(inode))?;
    let Some(entry) = entries.iter().find(|entry| (entry.index, entry.name) == (SYSTEM, b"data")) else {
        return Ok(None);
    };
    value(entry, body).map(|value| Some(value.to_vec())).ok_or_else(|| wrong(inode))
}

/// Entries and values in the inode's tail; `None` when it has none.
fn in_inode(inode: &Inode) -> Option<&[u8]> {
    let (header, body) = inode.tail.split_at_checked(INODE_HEADER_SIZE)?;
    (header == MAGIC.to_le_bytes()).then_some(body)
}

/// The entries that the bytes begin with; `None` when they make no sense.
fn entries(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    // Four bytes of zeros end them (`IS_LAST_ENTRY`).
    while *rest.first_chunk::<4>()? != [0; 4] {
        let (record, behind) = rest.split_at_checked(ENTRY_SIZE)?;
        let [name_length, index, o0, o1, ..] = *record else { return None };
        let [_, value_inode, size, hash] = words(record);
        let (name, _) = behind.split_at_checked(name_length.into())?;
        entries.push(Entry { index, name, offset: u16::from_le_bytes([o0, o1]), value_inode, size, hash });
        rest = rest.get((ENTRY_SIZE + usize::from(name_length)).next_multiple_of(PAD)..)?;
    }
    Some(entries)
}

/// A value beside the entries: `area` is what its place counts from.
fn value<'a>(entry: &Entry<'_>, area: &'a [u8]) -> Option<&'a [u8]> {
    if entry.size == 0 {
        return Some(&[]);
    }
    area.get(usize::from(entry.offset)..)?.get(..usize::try_from(entry.size).ok()?)
}

fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

fn wrong(inode: &Inode) -> Error {
    Error::damaged(format!("the extended attributes of inode {} are wrong", inode.number))
}
