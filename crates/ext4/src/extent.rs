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
