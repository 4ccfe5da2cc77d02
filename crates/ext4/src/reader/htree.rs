//! The index of a large directory, followed to the one leaf that can hold a name (`dx_probe`).
//!
//! An index that cannot be followed is no error: all blocks are looked through then, as the kernel does it.

use crate::csum::{self, Seed};
use crate::dirhash::{Algorithm, Chars, HASH_FLAGS, HashSeed, UNSIGNED_HASH_FLAG};
use crate::inode::{INDEX_FL, INLINE_DATA_FL};
use crate::read_at::ReadAt;
use crate::superblock::{compat, incompat};

use super::dirent::Header;
use super::{Error, Inode, Reader};

/// Where the root says how it is made (`struct dx_root_info`): behind `.` and `..`, which take 12 bytes each.
const ROOT_INFO: usize = 24;
const ROOT_INFO_SIZE: u8 = 8;
/// Where the pairs of the root begin.
const ROOT_PAIRS: usize = ROOT_INFO + ROOT_INFO_SIZE as usize;
/// Where the pairs of a node begin: behind an entry that is not in use (`struct fake_dirent`).
const NODE_PAIRS: usize = 8;
/// `struct dx_entry`: a hash and a block. The first of a block has no hash, but two counts.
const PAIR_SIZE: usize = 8;
/// `struct dx_tail`.
const TAIL_SIZE: usize = 8;
/// Blocks of the index above a leaf, with the root (`ext4_dir_htree_level`); one more with the feature `large_dir`.
const LEVELS: u8 = 2;

/// What an index says of a name.
pub(super) enum Answer {
    Found(u32),
    Absent,
    /// There is no index, or none that can be followed.
    Unusable,
}

/// The pairs of one block, and which of them is the way down.
struct Level {
    pairs: Vec<(u32, u32)>,
    at: usize,
}

impl<S: ReadAt> Reader<S> {
    /// Asks the index of a directory.
    pub(super) fn find_in_index(&self, directory: &Inode, name: &[u8]) -> Result<Answer, Error> {
        let has_indexes = self.superblock.has_compat(compat::DIR_INDEX);
        let is_indexed = has_indexes && directory.has_flag(INDEX_FL) && !directory.has_flag(INLINE_DATA_FL);
        // `.` and `..` stand in the root, and in no leaf.
        if !is_indexed || matches!(name, b"." | b"..") {
            return Ok(Answer::Unusable);
        }
        self.check_directory(directory)?;
        let Some(root) = self.directory_block(directory, 0)? else { return Ok(Answer::Unusable) };
        let Some((levels, hash)) = self.root(&root, name) else { return Ok(Answer::Unusable) };
        let Some(mut level) = pairs(&root, ROOT_PAIRS, hash) else { return Ok(Answer::Unusable) };
        // What follows the way taken, on the way up: a leaf there may continue this one.
        let mut next = level.next();
        for _ in 0..levels {
            let Some(node) = self.directory_block(directory, level.block())? else { return Ok(Answer::Unusable) };
            let is_node = Header::decode(&node, node.len()).is_some_and(|header| header.is_node(node.len()));
            let Some(below) = pairs(&node, NODE_PAIRS, hash).filter(|_| is_node) else { return Ok(Answer::Unusable) };
            level = below;
            next = level.next().or(next);
        }
        self.find_in_leaves(directory, name, level, next, hash)
    }

    /// The levels of nodes below the root of an index, and the hash of a name in it.
    fn root(&self, root: &[u8], name: &[u8]) -> Option<(u8, u32)> {
        let [reserved @ .., version, length, levels, flags] = *root.get(ROOT_INFO..)?.first_chunk::<8>()?;
        let most = LEVELS + u8::from(self.superblock.has_incompat(incompat::LARGE_DIR));
        if reserved != [0; 4] || length != ROOT_INFO_SIZE || levels >= most || flags & 1 != 0 {
            return None;
        }
        let chars = match self.record.flags & (HASH_FLAGS | UNSIGNED_HASH_FLAG) {
            UNSIGNED_HASH_FLAG => Chars::Unsigned,
            HASH_FLAGS => Chars::Signed,
            // Then it depends on the machine that made the directory, unless both are the same.
            _ if name.is_ascii() => Chars::Signed,
            _ => return None,
        };
        let seed = HashSeed::new(&self.record.hash_seed);
        Some((levels, seed.hash_by(Algorithm::of_version(version)?, chars, name)))
    }

    /// Looks into a leaf, and into those that continue it.
    fn find_in_leaves(
        &self,
        directory: &Inode,
        name: &[u8],
        mut level: Level,
        above: Option<u32>,
        hash: u32,
    ) -> Result<Answer, Error> {
        loop {
            let Some(leaf) = self.directory_block(directory, level.block())? else { return Ok(Answer::Unusable) };
            let take = &mut |entry: super::dirent::Entry<'_>| (entry.name == name).then_some(entry.inode);
            if let Some(number) = self.take_from(directory, &leaf, take)? {
                return Ok(Answer::Found(number));
            }
            // Names with one hash go on in the next leaf, which the lowest bit says.
            let is_continued = |next: u32| next == hash | 1;
            match level.next() {
                Some(next) if is_continued(next) => level.at += 1,
                Some(_) => return Ok(Answer::Absent),
                // The next leaf is below another node: rare enough to look through all blocks.
                None if above.is_some_and(is_continued) => return Ok(Answer::Unusable),
                None => return Ok(Answer::Absent),
            }
        }
    }

    /// A block of a directory, checked; `None` when it is not there.
    fn directory_block(&self, directory: &Inode, logical: u32) -> Result<Option<Vec<u8>>, Error> {
        let logical = u64::from(logical);
        if logical >= directory.size / self.superblock.block_size {
            return Ok(None);
        }
        let Some(start) = self.run(directory, logical)?.start else { return Ok(None) };
        let block = self.block(start)?;
        self.check_block(directory, logical, &block)?;
        Ok(Some(block))
    }
}

impl Level {
    fn block(&self) -> u32 {
        // The upper four bits are kept for other use (`dx_get_block`).
        self.pairs[self.at].1 & 0x0fff_ffff
    }

    /// The hash of the pair behind the one that is the way down.
    fn next(&self) -> Option<u32> {
        self.pairs.get(self.at + 1).map(|(hash, _)| *hash)
    }
}

/// The pairs of a block of the index, and the one that holds a hash; `None` when they make no sense.
fn pairs(block: &[u8], start: usize, hash: u32) -> Option<Level> {
    let count = counts(block, start)?.count;
    let mut pairs: Vec<(u32, u32)> =
        block[start..].as_chunks::<PAIR_SIZE>().0.iter().take(count).map(|pair| pair_of(*pair)).collect();
    pairs.first_mut()?.0 = 0;
    let is_sorted = pairs.is_sorted_by_key(|(hash, _)| *hash);
    let at = pairs.partition_point(|(first, _)| *first <= hash).checked_sub(1)?;
    is_sorted.then_some(Level { pairs, at })
}

fn pair_of([h0, h1, h2, h3, b0, b1, b2, b3]: [u8; PAIR_SIZE]) -> (u32, u32) {
    (u32::from_le_bytes([h0, h1, h2, h3]), u32::from_le_bytes([b0, b1, b2, b3]))
}

/// How many pairs a block has, and has room for (`struct dx_countlimit`).
struct Counts {
    count: usize,
    limit: usize,
}

/// The counts where the first pair's hash would be; `None` when there is no room for so many.
fn counts(block: &[u8], start: usize) -> Option<Counts> {
    let [l0, l1, c0, c1] = *block.get(start..)?.first_chunk()?;
    let (limit, count) = (u16::from_le_bytes([l0, l1]).into(), u16::from_le_bytes([c0, c1]).into());
    let room = (block.len() - start) / PAIR_SIZE;
    (count > 0 && count <= limit && limit <= room).then_some(Counts { count, limit })
}

/// Whether a block of the index has the right checksum (`ext4_dx_csum_verify`). It stands behind the room for pairs.
pub(super) fn is_sealed(block: &[u8], seed: Seed) -> bool {
    let is_node = Header::decode(block, block.len()).is_some_and(|header| header.length == block.len());
    let start = if is_node { NODE_PAIRS } else { ROOT_PAIRS };
    let Some(Counts { count, limit }) = counts(block, start) else { return false };
    let Some(tail) = block.get(start + limit * PAIR_SIZE..).and_then(<[u8]>::first_chunk::<TAIL_SIZE>) else {
        return false;
    };
    let [r0, r1, r2, r3, found @ ..] = *tail;
    csum::directory_index(seed, &block[..start + count * PAIR_SIZE], [r0, r1, r2, r3]) == u32::from_le_bytes(found)
}
