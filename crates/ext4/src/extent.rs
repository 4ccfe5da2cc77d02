//! The extent tree of a file: its root in the inode, then blocks of index entries, then blocks of extents.
//!
//! Every block but the last of a level is full, so the tree is as shallow and as narrow as it can be, and e2fsck finds
//! nothing to optimise.

use crate::content::Extent;
use crate::csum::{self, Seed};
use crate::inode::I_BLOCK_SIZE;
use crate::put::{Put, high32, low16, low32};

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

/// `struct ext4_extent`.
fn extent_record(extent: &Extent) -> Record {
    let mut record = [0; RECORD_SIZE];
    // A length of 32,768 sets the bit that marks longer ones as unwritten, but itself counts as written.
    let length = low16(extent.length);
    let physical = extent.physical;
    Put::new(&mut record).u32(extent.logical).u16(length).u16(low16(high32(physical))).u32(low32(physical)).end();
    record
}

/// `struct ext4_extent_idx`, for the block `number` that holds the records `below`.
fn index_record(below: &[Record], number: u64) -> Record {
    let (logical, _) = below[0].split_at(size_of::<u32>());
    let ei_unused = 0;
    let mut record = [0; RECORD_SIZE];
    Put::new(&mut record).bytes(logical).u32(low32(number)).u16(low16(high32(number))).u16(ei_unused).end();
    record
}

/// A block outside the inode.
fn node(records: &[Record], depth: u16, seed: Seed) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let (body, tail) = block.split_at_mut(BLOCK - TAIL_SIZE);
    put_records(body, records, NODE_RECORDS, depth);
    Put::new(tail).u32(csum::extent_block(seed, body)).end();
    block
}

/// `struct ext4_extent_header`, then the records. `depth` counts from 0 at the leaves.
fn put_records(body: &mut [u8], records: &[Record], max: usize, depth: u16) {
    let eh_generation = 0;
    let mut put = Put::new(body);
    put.u16(MAGIC).u16(records.len() as u16).u16(max as u16).u16(depth).u32(eh_generation);
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
