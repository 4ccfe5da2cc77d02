//! The names in a block of a directory, or in a part of an inode, of any size.

use crate::file_type::FileType;

/// What comes before an entry's name: inode, length of the entry, length of the name, type.
const HEADER_SIZE: usize = 8;
/// Entries take a multiple of this (`EXT4_DIR_PAD`).
const ALIGNMENT: usize = 4;
/// `struct ext4_dir_entry_tail`, which looks like an entry without inode and name.
const TAIL_SIZE: usize = 12;
/// The type in the tail (`EXT4_FT_DIR_CSUM`).
const TAIL_TYPE: u8 = 0xde;
/// The longest name (`EXT4_NAME_LEN`).
pub(super) const LONGEST_NAME: usize = 255;
/// The length that stands for all of a block of 64 KiB (`EXT4_MAX_REC_LEN`).
const WHOLE_BLOCK: u16 = u16::MAX;

/// An entry that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub name: &'a [u8],
    pub inode: u32,
    /// `None` without the feature `filetype`.
    pub file_type: Option<FileType>,
}

/// What stands before a name (`struct ext4_dir_entry_2`, or `struct ext4_dir_entry` without the feature `filetype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub inode: u32,
    /// The entry's length in bytes.
    pub length: usize,
    name_length: u8,
    /// The type; without the feature `filetype` the high byte of the name's length, which is zero.
    file_type: u8,
}

impl Header {
    /// The header that begins the bytes, in a block of `block_size` bytes (`ext4_rec_len_from_disk`).
    pub fn decode(bytes: &[u8], block_size: usize) -> Option<Self> {
        let [i0, i1, i2, i3, l0, l1, name_length, file_type] = *bytes.first_chunk::<HEADER_SIZE>()?;
        let length = match u16::from_le_bytes([l0, l1]) {
            0 | WHOLE_BLOCK if block_size > usize::from(u16::MAX) => block_size,
            // The two low bits are those above the sixteenth.
            length => usize::from(length & !3) | usize::from(length & 3) << 16,
        };
        Some(Self { inode: u32::from_le_bytes([i0, i1, i2, i3]), length, name_length, file_type })
    }

    /// Whether it is the beginning of an index's node (`struct fake_dirent`).
    pub fn is_node(&self, block_size: usize) -> bool {
        self.inode == 0 && self.length == block_size
    }
}

/// The entries of a block; an item is `Err` when the rest of the block makes no sense (`__ext4_check_dir_entry`).
pub(super) fn entries(block: &[u8], has_file_type: bool) -> impl Iterator<Item = Result<Entry<'_>, ()>> {
    let (block_size, mut rest) = (block.len(), block);
    let entry = move || {
        while !rest.is_empty() {
            let Some((record, header)) = split(&mut rest, block_size) else {
                rest = &[];
                return Some(Err(()));
            };
            if header.inode == 0 || header.name_length == 0 {
                continue;
            }
            let name = &record[HEADER_SIZE..][..usize::from(header.name_length)];
            if name.iter().any(|byte| matches!(byte, 0 | b'/')) {
                rest = &[];
                return Some(Err(()));
            }
            let file_type = FileType::of_dirent(header.file_type).filter(|_| has_file_type);
            return Some(Ok(Entry { name, inode: header.inode, file_type }));
        }
        None
    };
    std::iter::from_fn(entry)
}

/// Takes the next entry off the rest of a block; `None` when it makes no sense.
fn split<'a>(rest: &mut &'a [u8], block_size: usize) -> Option<(&'a [u8], Header)> {
    let header = Header::decode(rest, block_size)?;
    let least = (HEADER_SIZE + usize::from(header.name_length)).next_multiple_of(ALIGNMENT);
    if header.length < least || !header.length.is_multiple_of(ALIGNMENT) {
        return None;
    }
    let (record, behind) = rest.split_at_checked(header.length)?;
    *rest = behind;
    Some((record, header))
}

/// What of a leaf is before its tail, and the checksum in the tail; `None` when it has no tail.
pub(super) fn split_tail(block: &[u8]) -> Option<(&[u8], u32)> {
    let (before_tail, tail) = block.split_at_checked(block.len().checked_sub(TAIL_SIZE)?)?;
    let header = Header::decode(tail, block.len())?;
    let expected = Header { inode: 0, length: TAIL_SIZE, name_length: 0, file_type: TAIL_TYPE };
    let checksum = tail[HEADER_SIZE..].first_chunk()?;
    (header == expected).then_some((before_tail, u32::from_le_bytes(*checksum)))
}
