//! A block of directory entries: `struct ext4_dir_entry_2` one after the other, and a tail with the checksum.
//!
//! Each entry says where the next one begins; the last one reaches to the tail:
//!
//! ```text
//! | inode 11 | length 12 | "a" | inode 12 | length 4072 | "bcd" | ...  | tail |
//! 0                             12                                    4084   4096
//! ```

use crate::csum::{self, Seed};
use crate::fields::Fields;
use crate::file_type::FileType;
use crate::put::Put;

/// One block of a directory.
pub(crate) type Block = [u8; BLOCK];

/// The size of a directory's block.
pub(crate) const BLOCK: usize = crate::BLOCK_SIZE as usize;
/// What comes before an entry's name: inode, length of the entry, length of the name, type.
const HEADER_SIZE: usize = 8;
/// Entries take a multiple of this (`EXT4_DIR_PAD`).
const ALIGNMENT: usize = 4;
/// `struct ext4_dir_entry_tail`, which looks like an entry without inode and name.
const TAIL_SIZE: usize = 12;
/// The type in the tail (`EXT4_FT_DIR_CSUM`).
const TAIL_TYPE: u8 = 0xde;
/// What a block has for entries.
pub(crate) const ROOM: usize = BLOCK - TAIL_SIZE;
/// The entry's length within the entry (`rec_len`).
const LENGTH_FIELD: std::ops::Range<usize> = 4..6;

/// A name in a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// The name: 1 to 255 bytes without `/` and NUL.
    pub name: &'a [u8],
    /// The inode's number on the disk; only needed when the directory is written.
    pub inode: u32,
    /// The inode's type.
    pub file_type: FileType,
}

impl Entry<'_> {
    /// The directory's own `.`.
    pub fn this(own: u32) -> Self {
        Self { name: b".", inode: own, file_type: FileType::Directory }
    }

    /// The `..` that leads to `parent`.
    pub fn parent(parent: u32) -> Self {
        Self { name: b"..", inode: parent, file_type: FileType::Directory }
    }

    /// The bytes that the entry takes (`ext4_dir_rec_len`).
    pub fn size(&self) -> usize {
        size(self.name.len())
    }

    /// Writes the entry over all of `record`.
    pub fn put(&self, record: &mut [u8]) {
        let mut header = Header {
            inode: self.inode,
            length: record.len() as u16,
            name_length: self.name.len() as u8,
            file_type: self.file_type.dirent(),
        };
        let mut put = Put::new(record);
        header.fields(&mut put);
        put.bytes(self.name).skip_rest();
    }
}

/// What stands before a name (`struct ext4_dir_entry_2`).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Header {
    inode: u32,
    length: u16,
    name_length: u8,
    file_type: u8,
}

impl Header {
    /// The tail's, which looks like an entry without inode and name.
    const TAIL: Self = Self { inode: 0, length: TAIL_SIZE as u16, name_length: 0, file_type: TAIL_TYPE };

    fn fields(&mut self, fields: &mut impl Fields) {
        fields.u32(&mut self.inode).u16(&mut self.length).u8(&mut self.name_length).u8(&mut self.file_type);
    }
}

/// The bytes that an entry with a name of this length takes: a multiple of four.
pub(crate) const fn size(name: usize) -> usize {
    (HEADER_SIZE + name).next_multiple_of(ALIGNMENT)
}

/// A block that entries are appended to.
pub(crate) struct Leaf {
    block: Block,
    /// Where the last entry begins.
    last: usize,
    /// Where the next entry begins.
    end: usize,
}

impl Leaf {
    /// A block without entries.
    pub fn new() -> Self {
        Self { block: [0; BLOCK], last: 0, end: 0 }
    }

    /// Appends an entry; whoever planned the block saw to it that there is [`ROOM`].
    pub fn push(&mut self, entry: &Entry) {
        self.last = self.end;
        self.end += entry.size();
        entry.put(&mut self.block[self.last..self.end]);
    }

    /// The block with its tail. `seed` is the directory's.
    pub fn seal(mut self, seed: Seed) -> Block {
        // Without any entry this makes one that is not in use and takes all the room.
        let length = (ROOM - self.last) as u16;
        self.block[self.last..][LENGTH_FIELD].copy_from_slice(&length.to_le_bytes());
        let (entries, tail) = self.block.split_at_mut(ROOM);
        let mut put = Put::new(tail);
        { Header::TAIL }.fields(&mut put);
        put.u32(csum::directory_leaf(seed, entries)).end();
        self.block
    }
}
