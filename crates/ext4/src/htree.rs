//! The index of a large directory: a tree by the hash of the names (`dir_index`).
//!
//! ```text
//! block 0          root: `.`, `..`, then (hash, block) pairs, ascending
//! blocks 1 ..      nodes with more pairs, only when the root cannot hold one for each leaf; the root's pairs then name
//!                  nodes, and so may the pairs of these: the level next to the root stands first
//! the rest         leaves: ordinary blocks of entries, sorted by hash
//! ```
//!
//! A pair says: names with this hash or more are in that block, up to the next pair. The first pair of a block has no
//! hash, as it takes all that is below the second; its place holds how many pairs there are and could be.

use crate::csum::{self, Seed};
use crate::dirent::{self, BLOCK, Block, Entry, Leaf};
use crate::dirhash::{HASH_VERSION, HashSeed};
use crate::put::Put;

/// `.`, which takes no more than it needs.
const DOT_SIZE: usize = dirent::size(1);
/// Where the pairs of the root begin: behind the headers of `.` and `..` and `struct dx_root_info`.
const ROOT_PAIRS: usize = DOT_SIZE + dirent::size(2) + ROOT_INFO_SIZE;
const ROOT_INFO_SIZE: usize = 8;
/// Where the pairs of a node begin: behind an entry that is not in use (`struct fake_dirent`).
const NODE_PAIRS: usize = dirent::size(0);
/// `struct dx_entry`.
const PAIR_SIZE: usize = 8;
/// `struct dx_tail`.
const TAIL_SIZE: usize = 8;

/// Levels of nodes that every kernel reads (`EXT4_HTREE_LEVEL_COMPAT`, which counts the root too).
const OLD_LEVELS: usize = 1;
/// Levels of nodes with the feature `large_dir` (`EXT4_HTREE_LEVEL`).
const MAX_LEVELS: usize = 2;

/// How far leaves are filled: an eighth stays free, so that the first names that a guest adds do not split leaf after
/// leaf. (e2fsck leaves a fifth; the kernel's own leaves are between half full and full.)
const FILL: usize = dirent::ROOM - dirent::ROOM / 8;

/// The directory has more names than an index of three levels holds: about 130 million leaves, which is 1.7 thousand
/// million names of 255 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexFull;

/// How an index is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Seeds the hash.
    pub hash: HashSeed,
    /// How many pairs a block gets.
    pub fan_out: FanOut,
}

/// How many pairs the blocks of an index get. Fewer than they hold is legal, and makes deep trees of few names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FanOut {
    /// The root.
    pub root: usize,
    /// A node.
    pub node: usize,
}

impl FanOut {
    /// As many as they hold.
    pub const FULL: Self =
        Self { root: (BLOCK - ROOT_PAIRS - TAIL_SIZE) / PAIR_SIZE, node: (BLOCK - NODE_PAIRS - TAIL_SIZE) / PAIR_SIZE };
}

/// Where each name of an indexed directory goes.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// All names, by hash.
    order: Vec<Hashed>,
    /// Where in `order` each leaf begins.
    leaves: Vec<u32>,
    /// Nodes in each level, from the leaves up.
    nodes: Vec<u32>,
    fan_out: FanOut,
}

/// A name by its place in the array of entries. Names with the same hash keep their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hashed {
    hash: u32,
    entry: u32,
}

/// `struct dx_entry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair {
    hash: u32,
    block: u32,
}

impl Index {
    /// Sorts the names and deals them out to leaves.
    pub fn plan(entries: &[Entry], rules: Rules) -> Result<Self, IndexFull> {
        let hash = |entry: &Entry| rules.hash.hash(entry.name);
        let hashed = |(place, entry): (usize, &Entry)| Hashed { hash: hash(entry), entry: place as u32 };
        let mut order: Vec<Hashed> = entries.iter().enumerate().map(hashed).collect();
        order.sort_unstable();
        let sizes = order.iter().map(|name| (name.hash, entries[name.entry as usize].size()));
        let leaves = deal(sizes);
        Self::new(order, leaves, rules.fan_out)
    }

    fn new(order: Vec<Hashed>, leaves: Vec<u32>, fan_out: FanOut) -> Result<Self, IndexFull> {
        let mut nodes = Vec::new();
        let mut below = leaves.len();
        while below > fan_out.root {
            below = below.div_ceil(fan_out.node);
            nodes.push(below as u32);
        }
        if nodes.len() > MAX_LEVELS { Err(IndexFull) } else { Ok(Self { order, leaves, nodes, fan_out }) }
    }

    /// Whether the index is deeper than kernels before 4.13 know, so that the file system needs the feature `large_dir`.
    pub fn is_deep(&self) -> bool {
        self.nodes.len() > OLD_LEVELS
    }

    /// Root, nodes and leaves.
    pub fn block_count(&self) -> u32 {
        self.first_leaf() + self.leaves.len() as u32
    }

    /// Gives the blocks to `sink`, in their order; see [`Layout::encode`](crate::directory::Layout::encode).
    pub fn encode<E>(
        &self,
        own: u32,
        parent: u32,
        entries: &[Entry],
        seed: Seed,
        sink: &mut dyn FnMut(&Block) -> Result<(), E>,
    ) -> Result<(), E> {
        let (top, levels) = self.levels();
        sink(&root(own, parent, levels.len() as u8, &top, seed))?;
        for pairs in levels.iter().flat_map(|level| level.chunks(self.fan_out.node)) {
            sink(&node(pairs, seed))?;
        }
        let ends = self.leaves[1..].iter().copied().chain([self.order.len() as u32]);
        for (start, end) in self.leaves.iter().zip(ends) {
            let names = &self.order[*start as usize..end as usize];
            let mut leaf = Leaf::new();
            names.iter().for_each(|name| leaf.push(&entries[name.entry as usize]));
            sink(&leaf.seal(seed))?;
        }
        Ok(())
    }

    fn first_leaf(&self) -> u32 {
        1 + self.nodes.iter().sum::<u32>()
    }

    /// The pairs of the root, and those of each level of nodes, in the order of the disk.
    fn levels(&self) -> (Vec<Pair>, Vec<Vec<Pair>>) {
        let mut levels = Vec::new();
        let mut pairs = self.pairs();
        let mut first = self.first_leaf();
        for count in &self.nodes {
            first -= count;
            let nodes = pairs.chunks(self.fan_out.node).zip(first..);
            let above = nodes.map(|(below, block)| Pair { hash: below[0].hash, block }).collect();
            levels.push(std::mem::replace(&mut pairs, above));
        }
        levels.reverse();
        (pairs, levels)
    }

    /// A pair for each leaf. A leaf that goes on with the last hash of the one before has the hash's lowest bit set, by
    /// which a search knows that it must look there too (`ext4_htree_next_block`).
    fn pairs(&self) -> Vec<Pair> {
        let pair = |(start, block): (&u32, u32)| {
            let start = *start as usize;
            let hash = self.order[start].hash;
            let continues = start > 0 && self.order[start - 1].hash == hash;
            Pair { hash: hash | u32::from(continues), block }
        };
        self.leaves.iter().zip(self.first_leaf()..).map(pair).collect()
    }
}

/// Where each leaf begins when names with these hashes and sizes are dealt out in turn.
///
/// Names with the same hash stay together if they can, at the expense of the room that is left free: some readers do
/// not look into the next leaf.
fn deal(names: impl Iterator<Item = (u32, usize)>) -> Vec<u32> {
    let mut starts = vec![0];
    let mut used = 0;
    let mut last = None;
    for (place, (hash, size)) in names.enumerate() {
        let room = if last == Some(hash) { dirent::ROOM } else { FILL };
        if used + size > room {
            starts.push(place as u32);
            used = 0;
        }
        used += size;
        last = Some(hash);
    }
    starts
}

/// `struct dx_root`. `levels` counts the nodes on the way to a leaf.
fn root(own: u32, parent: u32, levels: u8, pairs: &[Pair], seed: Seed) -> Block {
    let mut block = [0; BLOCK];
    let (dot, dotdot) = block.split_at_mut(DOT_SIZE);
    Entry::this(own).put(dot);
    // To one who knows no index, `..` covers it all.
    Entry::parent(parent).put(dotdot);
    let (reserved, unused_flags) = (0, 0);
    let mut put = Put::new(&mut block[ROOT_PAIRS - ROOT_INFO_SIZE..ROOT_PAIRS]);
    put.u32(reserved).u8(HASH_VERSION).u8(ROOT_INFO_SIZE as u8).u8(levels).u8(unused_flags).end();
    put_pairs(&mut block, ROOT_PAIRS, pairs, seed);
    block
}

/// `struct dx_node`.
fn node(pairs: &[Pair], seed: Seed) -> Block {
    let mut block = [0; BLOCK];
    let (no_inode, no_name, no_type) = (0, 0, 0);
    Put::new(&mut block[..NODE_PAIRS]).u32(no_inode).u16(BLOCK as u16).u8(no_name).u8(no_type).end();
    put_pairs(&mut block, NODE_PAIRS, pairs, seed);
    block
}

/// The pairs from `start` on, `struct dx_countlimit` in the place of the first hash, and the tail.
fn put_pairs(block: &mut Block, start: usize, pairs: &[Pair], seed: Seed) {
    let limit = (BLOCK - start - TAIL_SIZE) / PAIR_SIZE;
    let mut put = Put::new(&mut block[start..]);
    put.u16(limit as u16).u16(pairs.len() as u16).u32(pairs[0].block);
    for pair in &pairs[1..] {
        put.u32(pair.hash).u32(pair.block);
    }
    let checksum = csum::directory_index(seed, &block[..start + pairs.len() * PAIR_SIZE], [0; 4]);
    let dt_reserved = 0;
    Put::new(&mut block[start + limit * PAIR_SIZE..]).u32(dt_reserved).u32(checksum).end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_type::FileType;

    fn entries(names: &[String]) -> Vec<Entry<'_>> {
        let entry = |name| Entry { name, inode: 12, file_type: FileType::Regular };
        names.iter().map(|name| entry(name.as_bytes())).collect()
    }

    fn index(hashes: &[u32], leaves: Vec<u32>, fan_out: FanOut) -> Result<Index, IndexFull> {
        let order = hashes.iter().zip(0..).map(|(hash, entry)| Hashed { hash: *hash, entry }).collect();
        Index::new(order, leaves, fan_out)
    }

    #[test]
    fn limits_are_those_of_the_kernels_documentation() {
        assert_eq!(FanOut::FULL, FanOut { root: 507, node: 510 });
    }

    #[test]
    fn a_leaf_begins_where_the_last_has_only_its_reserve_left() {
        let names = |hashes: &[u32]| deal(hashes.iter().map(|hash| (*hash, 264)));
        assert_eq!(names(&[]), [0]);
        let different: Vec<u32> = (0..40).collect();
        assert_eq!(names(&different), [0, 13, 26, 39], "13 names of 255 bytes fit");
        let equal = [[0; 12], [1; 12]].concat();
        assert_eq!(names(&equal), [0, 15], "two names that hash like the thirteenth may use the reserve");
    }

    #[test]
    fn a_leaf_that_goes_on_with_the_last_hash_is_marked() {
        let pairs = index(&[2, 4, 4, 4, 6], vec![0, 2, 3, 4], FanOut::FULL).unwrap().pairs();
        assert_eq!(pairs.iter().map(|pair| pair.hash).collect::<Vec<_>>(), [2, 5, 5, 6]);
        assert_eq!(pairs.iter().map(|pair| pair.block).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_level_begins_when_the_one_above_is_full() {
        let blocks = |leaves: u32| index(&[], (0..leaves).collect(), FanOut::FULL).map(|index| index.block_count());
        assert_eq!(blocks(507), Ok(1 + 507));
        assert_eq!(blocks(508), Ok(1 + 1 + 508));
        assert_eq!(blocks(511), Ok(1 + 2 + 511));
        assert_eq!(blocks(258_570), Ok(1 + 507 + 258_570));
        assert_eq!(blocks(258_571), Ok(1 + 1 + 508 + 258_571));
    }

    #[test]
    fn more_leaves_than_three_levels_hold_are_refused() {
        let index = |leaves: u32| index(&[], (0..leaves).collect(), FanOut { root: 3, node: 2 });
        assert_eq!([3, 4, 6, 7, 12].map(|leaves| index(leaves).unwrap().is_deep()), [false, false, false, true, true]);
        assert_eq!(index(13).err(), Some(IndexFull));
    }

    #[test]
    fn each_node_is_named_with_its_first_hash() {
        let hashes: Vec<u32> = (0..11).map(|leaf| 10 * leaf).collect();
        let (top, levels) = index(&hashes, (0..11).collect(), FanOut { root: 3, node: 2 }).unwrap().levels();
        let named = |pairs: &[Pair]| pairs.iter().map(|pair| (pair.hash, pair.block)).collect::<Vec<_>>();
        assert_eq!(named(&top), [(0, 1), (40, 2), (80, 3)]);
        assert_eq!(named(&levels[0]), [(0, 4), (20, 5), (40, 6), (60, 7), (80, 8), (100, 9)]);
        assert_eq!(named(&levels[1])[..3], [(0, 10), (10, 11), (20, 12)]);
        assert_eq!((levels.len(), levels[1].len()), (2, 11));
    }

    #[test]
    fn every_name_is_in_the_leaf_that_its_hash_leads_to() {
        let names: Vec<String> = (0..50_000).map(|i| format!("file number {i}")).collect();
        let entries = entries(&names);
        let index = Index::plan(&entries, Rules { hash: HashSeed::new(&[7; 16]), fan_out: FanOut::FULL }).unwrap();
        let pairs = index.pairs();
        assert!(pairs.is_sorted_by_key(|pair| pair.hash));
        for (leaf, start) in index.leaves.iter().enumerate() {
            let end = index.leaves.get(leaf + 1).map_or(index.order.len(), |end| *end as usize);
            for name in &index.order[*start as usize..end] {
                assert!(pairs[leaf].hash & !1 <= name.hash);
                assert!(pairs.get(leaf + 1).is_none_or(|next| name.hash < next.hash));
            }
        }
    }
}
