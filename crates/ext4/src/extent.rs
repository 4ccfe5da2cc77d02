//! The extent tree of a file: its root in the inode, then blocks of index entries, then blocks of extents.
//!
//! Every block but the last of a level is full, so the tree is as shallow and as narrow as it can be, and e2fsck finds
//! nothing to optimise.

use crate::content::Extent;
use crate::csum::{self, Seed};
use crate::fields::Fields;
use crate::get::Get;
use crate::inode::I_BLOCK_SIZE;
use crate::put::{Put, low16};

const BLOCK: usize = crate::BLOCK_SIZE as usize;
/// `struct ext4_extent_header`; extents and index entries have the same size.
const RECORD_SIZE: usize = 12;
/// `struct ext4_extent_tail`: the checksum.
const TAIL_SIZE: usize = 4;
/// How many records the inode holds.
const ROOT_RECORDS: usize = (I_BLOCK_SIZE - RECORD_SIZE) / RECORD_SIZE;
/// How many records a block holds.
const NODE_RECORDS: usize = (BLOCK - RECORD_SIZE - TAIL_SIZE) / RECORD_SIZE;
/// `eh_magic`.
const MAGIC: u16 = 0xf30a;
/// An extent is longer than this when its blocks are allocated but not written, and read as zeros (`EXT_INIT_MAX_LEN`).
const LONGEST_WRITTEN: u16 = 1 << 15;
/// The deepest tree that the kernel makes or takes (`EXT4_MAX_EXTENT_DEPTH`).
pub(crate) const MAX_DEPTH: u16 = 5;

/// An extent or an index entry; its first word is the first block within the file (`ee_block`, `ei_block`).
type Record = [u8; RECORD_SIZE];

/// A tree in the form of the disk.
#[derive(Clone, Debug)]
pub(crate) struct ExtentTree {
    /// The inode's `i_block`.
    pub root: [u8; I_BLOCK_SIZE],
    /// The blocks outside the inode, in the order of the numbers that they were given.
    pub nodes: Vec<[u8; BLOCK]>,
}

/// How many blocks the tree of so many extents needs outside the inode.
pub(crate) fn node_count(extents: usize) -> u64 {
    let mut records = extents;
    let mut nodes = 0;
    while records > ROOT_RECORDS {
        records = records.div_ceil(NODE_RECORDS);
        nodes += records as u64;
    }
    nodes
}

/// The tree of `extents` (ascending, not overlapping), whose blocks have the numbers in `nodes`: leaves first, then
/// level by level towards the root. `seed` is the inode's.
///
/// # Panics
/// When `nodes` has fewer numbers than [`node_count`] says.
pub(crate) fn encode(extents: &[Extent], nodes: &[u64], seed: Seed) -> ExtentTree {
    let mut records: Vec<Record> = extents.iter().map(extent_record).collect();
    let mut blocks = Vec::with_capacity(nodes.len());
    let mut depth = 0;
    while records.len() > ROOT_RECORDS {
        let numbers = &nodes[blocks.len()..];
        blocks.extend(records.chunks(NODE_RECORDS).map(|records| node(records, depth, seed)));
        records = records.chunks(NODE_RECORDS).zip(numbers).map(|(below, at)| index_record(below, *at)).collect();
        depth += 1;
    }
    let mut root = [0; I_BLOCK_SIZE];
    put_records(&mut root, &records, ROOT_RECORDS, depth);
    ExtentTree { root, nodes: blocks }
}

/// The records of one block or of the root, as the disk has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Records {
    /// The runs of a leaf.
    Extents(Vec<MappedExtent>),
    /// The entries of an index.
    Below(Vec<IndexEntry>),
}

impl Records {
    pub fn is_empty(&self) -> bool {
        self.first_logical().is_none()
    }

    /// The first block within the file that is described.
    pub fn first_logical(&self) -> Option<u32> {
        match self {
            Self::Extents(extents) => extents.first().map(|mapped| mapped.extent.logical),
            Self::Below(entries) => entries.first().map(|entry| entry.logical),
        }
    }
}

/// A run of blocks, and whether the disk's bytes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MappedExtent {
    pub extent: Extent,
    /// Allocated but not written: reads as zeros.
    pub unwritten: bool,
}

/// What an index says of the block below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// The first block within the file that the block below describes.
    pub logical: u32,
    /// The block below.
    pub block: u64,
}

/// The records of an inode's `i_block` and their depth; `None` when it is not the root of a tree.
pub(crate) fn decode_root(root: &[u8; I_BLOCK_SIZE]) -> Option<(Records, u16)> {
    records(root, ROOT_RECORDS)
}

/// The records of a block outside the inode and their depth; `None` when it is no part of a tree of this inode.
pub(crate) fn decode_node(block: &[u8; BLOCK], seed: Seed) -> Option<(Records, u16)> {
    let (body, tail) = block.split_at(BLOCK - TAIL_SIZE);
    let mut found = 0;
    Get::new(tail).u32(&mut found).end();
    (csum::extent_block(seed, body) == found).then(|| records(body, NODE_RECORDS))?
}

fn records(body: &[u8], max: usize) -> Option<(Records, u16)> {
    let header = Header::decode(body.first_chunk()?);
    if usize::from(header.max) == max { decode_any(body) } else { None }
}

/// The records behind a header and their depth, in a body of any size; `None` when it is no part of a tree
/// (`__ext4_ext_check`).
pub(crate) fn decode_any(body: &[u8]) -> Option<(Records, u16)> {
    let (header, body) = body.split_first_chunk::<RECORD_SIZE>()?;
    let header = Header::decode(header);
    let room = body.len() / RECORD_SIZE;
    let is_right = header.magic == MAGIC && header.max > 0 && usize::from(header.max) <= room;
    if !is_right || header.count > header.max || header.depth > MAX_DEPTH {
        return None;
    }
    let records = body.as_chunks::<RECORD_SIZE>().0.iter().take(header.count.into());
    let records = match header.depth {
        0 => Records::Extents(records.map(decode_extent).collect::<Option<_>>()?),
        _ => Records::Below(records.map(IndexEntry::decode).collect()),
    };
    Some((records, header.depth))
}

/// What of a block outside the inode is header and room for records, and the checksum behind it; `None` when there is no
/// room for one.
pub(crate) fn split_tail(block: &[u8]) -> Option<(&[u8], u32)> {
    let header = Header::decode(block.first_chunk()?);
    let (before_tail, tail) = block.split_at_checked(RECORD_SIZE + usize::from(header.max) * RECORD_SIZE)?;
    Some((before_tail, u32::from_le_bytes(*tail.first_chunk()?)))
}

/// `struct ext4_extent_header`.
#[derive(Default)]
struct Header {
    magic: u16,
    count: u16,
    max: u16,
    /// Counts from 0 at the leaves.
    depth: u16,
    generation: u32,
}

impl Header {
    fn fields(&mut self, fields: &mut impl Fields) {
        fields
            .u16(&mut self.magic)
            .u16(&mut self.count)
            .u16(&mut self.max)
            .u16(&mut self.depth)
            .u32(&mut self.generation);
    }

    fn decode(record: &Record) -> Self {
        let mut header = Self::default();
        header.fields(&mut Get::new(record));
        header
    }
}

/// `struct ext4_extent`.
fn extent_fields(fields: &mut impl Fields, logical: &mut u32, length: &mut u16, physical: &mut u64) {
    fields.u32(logical).u16(length).middle16(physical).low32(physical);
}

fn extent_record(extent: &Extent) -> Record {
    let mut record = [0; RECORD_SIZE];
    let mut put = Put::new(&mut record);
    // A length of 32,768 sets the bit that marks longer ones as unwritten, but itself counts as written.
    extent_fields(&mut put, &mut extent.logical.clone(), &mut low16(extent.length), &mut extent.physical.clone());
    put.end();
    record
}

/// `None` for an extent of no blocks.
fn decode_extent(record: &Record) -> Option<MappedExtent> {
    let (mut logical, mut length, mut physical) = (0, 0, 0);
    extent_fields(&mut Get::new(record), &mut logical, &mut length, &mut physical);
    let unwritten = length > LONGEST_WRITTEN;
    let length = if unwritten { length - LONGEST_WRITTEN } else { length };
    (length > 0).then_some(MappedExtent { extent: Extent { logical, physical, length: length.into() }, unwritten })
}

impl IndexEntry {
    /// `struct ext4_extent_idx`.
    fn fields(&mut self, fields: &mut impl Fields) {
        let mut ei_unused = 0;
        fields.u32(&mut self.logical).low32(&mut self.block).middle16(&mut self.block).u16(&mut ei_unused);
    }

    fn encode(mut self) -> Record {
        let mut record = [0; RECORD_SIZE];
        self.fields(&mut Put::new(&mut record));
        record
    }

    fn decode(record: &Record) -> Self {
        let mut entry = Self::default();
        entry.fields(&mut Get::new(record));
        entry
    }
}

/// The index entry for the block `number` that holds the records `below`.
fn index_record(below: &[Record], number: u64) -> Record {
    let mut logical = 0;
    // Both kinds of records begin with it.
    Get::new(&below[0][..size_of::<u32>()]).u32(&mut logical).end();
    IndexEntry { logical, block: number }.encode()
}

/// A block outside the inode.
fn node(records: &[Record], depth: u16, seed: Seed) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let (body, tail) = block.split_at_mut(BLOCK - TAIL_SIZE);
    put_records(body, records, NODE_RECORDS, depth);
    Put::new(tail).u32(csum::extent_block(seed, body)).end();
    block
}

/// The header, then the records.
fn put_records(body: &mut [u8], records: &[Record], max: usize, depth: u16) {
    let mut header = Header { magic: MAGIC, count: records.len() as u16, max: max as u16, depth, generation: 0 };
    let mut put = Put::new(body);
    header.fields(&mut put);
    put.bytes(records.as_flattened()).skip_rest();
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed::NONE;

    /// Extents of one block each, none of which touches the next.
    fn scattered(count: u32) -> Vec<Extent> {
        (0..count).map(|i| Extent { logical: 2 * i, physical: (1 << 33) + 3 * u64::from(i), length: 1 }).collect()
    }

    fn encode_at(extents: &[Extent], first: u64) -> ExtentTree {
        let nodes: Vec<u64> = (first..first + node_count(extents.len())).collect();
        encode(extents, &nodes, SEED)
    }

    fn le16(bytes: &[u8]) -> u64 {
        u64::from(u16::from_le_bytes(*bytes.first_chunk().unwrap()))
    }

    fn le32(bytes: &[u8]) -> u64 {
        u64::from(u32::from_le_bytes(*bytes.first_chunk().unwrap()))
    }

    /// Reads a tree back as the kernel does, from the root down, checking each header.
    fn walk(tree: &ExtentTree, first: u64, body: &[u8], depth: u64, found: &mut Vec<Extent>) {
        let (header, records) = body.split_at(RECORD_SIZE);
        assert_eq!((le16(header), le16(&header[6..])), (u64::from(MAGIC), depth));
        assert!(le16(&header[2..]) <= le16(&header[4..]));
        for record in records.chunks_exact(RECORD_SIZE).take(le16(&header[2..]) as usize) {
            if depth == 0 {
                let physical = le16(&record[6..]) << 32 | le32(&record[8..]);
                found.push(Extent { logical: le32(record) as u32, physical, length: le16(&record[4..]) as u32 });
            } else {
                let number = le16(&record[8..]) << 32 | le32(&record[4..]);
                let node = &tree.nodes[usize::try_from(number - first).unwrap()];
                assert_eq!(le32(&node[RECORD_SIZE..]), le32(record), "an index entry names its block's first record");
                let (before_tail, tail) = node.split_at(BLOCK - TAIL_SIZE);
                assert_eq!(le32(tail), u64::from(SEED.crc(before_tail)));
                walk(tree, first, before_tail, depth - 1, found);
            }
        }
    }

    #[test]
    fn a_tree_is_as_shallow_as_its_extents_allow() {
        let full = (ROOT_RECORDS * NODE_RECORDS) as u32;
        for (count, depth, nodes) in [
            (0, 0, 0),
            (1, 0, 0),
            (4, 0, 0),
            (5, 1, 1),
            (340, 1, 1),
            (341, 1, 2),
            (680, 1, 2),
            (681, 1, 3),
            (full, 1, 4),
            (full + 1, 2, 5 + 1),
            (100_000, 2, 295 + 1),
            (full * 340, 2, 4 * 340 + 4),
            (full * 340 + 1, 3, 4 * 340 + 1 + 5 + 1),
        ] {
            let extents = scattered(count);
            assert_eq!(node_count(extents.len()), nodes, "{count} extents");
            let tree = encode_at(&extents, 1 << 32);
            assert_eq!(le16(&tree.root[6..]), depth, "{count} extents");
            let mut found = Vec::new();
            walk(&tree, 1 << 32, &tree.root, depth, &mut found);
            assert!(found == extents, "{count} extents read back differently");
        }
    }

    #[test]
    fn the_longest_extent_is_a_written_one() {
        let extent = Extent { logical: 7, physical: 0x1_2345_6789, length: 32_768 };
        assert_eq!(extent_record(&extent), *b"\x07\0\0\0\x00\x80\x01\0\x89\x67\x45\x23");
    }
}
