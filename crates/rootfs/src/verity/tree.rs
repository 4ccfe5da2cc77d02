//! The tree, built while the data goes by: of each level there is one block in memory, and it is written when it is full.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use nex_verity::RootHash;

use super::{BLOCK_SIZE, DIGEST_SIZE, Parameters};

const BLOCK: usize = BLOCK_SIZE as usize;

/// A tree under construction.
pub struct HashTree<'a> {
    file: &'a File,
    offset: u64,
    parameters: &'a Parameters,
    hasher: SaltedHasher,
    levels: Vec<Level>,
    /// Whole blocks of data so far.
    taken: u64,
    /// The beginning of a block of data whose end has not come yet.
    partial: Vec<u8>,
    /// The root, when all of it is there.
    root: Option<RootHash>,
}

/// A level of the tree, from the hashes of the data (0) upwards.
struct Level {
    /// Where the next block goes in the file.
    position: u64,
    /// The hashes of the block that is not full yet.
    block: Vec<u8>,
    /// The hash of what lies below when all the data there is zeros, so that holes cost nothing.
    zeros: [u8; DIGEST_SIZE],
}

impl<'a> HashTree<'a> {
    /// A tree that goes into `file`, with its superblock at `offset` bytes.
    pub fn new(parameters: &'a Parameters, file: &'a File, offset: u64) -> Self {
        let hasher = SaltedHasher::new(&parameters.salt);
        let mut levels = Vec::new();
        let mut position = offset + parameters.hash_bytes();
        let mut zeros = hasher.hash(&[0; BLOCK]);
        // On the disk the root comes first.
        for blocks in parameters.blocks_of_levels() {
            position -= blocks * BLOCK_SIZE;
            levels.push(Level { position, block: Vec::with_capacity(BLOCK), zeros });
            zeros = hasher.hash(&zeros.repeat(BLOCK / DIGEST_SIZE));
        }
        Self { file, offset, parameters, hasher, levels, taken: 0, partial: Vec::new(), root: None }
    }

    /// Takes the next bytes of the data.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn data(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if !self.partial.is_empty() {
            let missing = bytes.len().min(BLOCK - self.partial.len());
            self.partial.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.partial.len() < BLOCK {
                return Ok(());
            }
            let block = std::mem::take(&mut self.partial);
            self.block(&block)?;
        }
        let blocks = bytes.chunks_exact(BLOCK);
        self.partial.extend_from_slice(blocks.remainder());
        blocks.into_iter().try_for_each(|block| self.block(block))
    }

    /// Takes the next bytes of the data, which are all zero.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn zeros(&mut self, zeros: &[u8]) -> io::Result<()> {
        if !self.partial.is_empty() || !zeros.len().is_multiple_of(BLOCK) {
            return self.data(zeros);
        }
        (0..zeros.len() / BLOCK).try_for_each(|_| self.zero_block())
    }

    /// Writes what is left, and the superblock.
    ///
    /// # Errors
    /// When the file cannot be written, or the data was not as long as the parameters say.
    pub fn finish(mut self) -> io::Result<RootHash> {
        for level in 0..self.levels.len() {
            if !self.levels[level].block.is_empty() {
                self.levels[level].block.resize(BLOCK, 0);
                self.write(level)?;
            }
        }
        let is_whole = self.taken == self.parameters.data_blocks && self.partial.is_empty();
        let root = self.root.filter(|_| is_whole);
        let root = root.ok_or_else(|| io::Error::other("the image is not as long as its hash tree says"))?;
        self.file.write_all_at(&self.parameters.superblock().encode(), self.offset)?;
        Ok(root)
    }

    fn block(&mut self, block: &[u8]) -> io::Result<()> {
        if block.iter().all(|byte| *byte == 0) {
            return self.zero_block();
        }
        self.taken += 1;
        self.push(0, self.hasher.hash(block))
    }

    fn zero_block(&mut self) -> io::Result<()> {
        self.taken += 1;
        match self.levels.first() {
            Some(level) => self.push(0, level.zeros),
            None => self.push(0, self.hasher.hash(&[0; BLOCK])),
        }
    }

    /// Adds a hash to a level; what is above the highest level is the root.
    fn push(&mut self, level: usize, hash: [u8; DIGEST_SIZE]) -> io::Result<()> {
        let Some(this) = self.levels.get_mut(level) else {
            self.root = Some(RootHash(hash));
            return Ok(());
        };
        this.block.extend_from_slice(&hash);
        if this.block.len() < BLOCK { Ok(()) } else { self.write(level) }
    }

    /// Writes a level's block, and adds its hash to the level above.
    fn write(&mut self, level: usize) -> io::Result<()> {
        let zeros_above = self.levels.get(level + 1).map(|above| above.zeros);
        let this = &mut self.levels[level];
        self.file.write_all_at(&this.block, this.position)?;
        this.position += BLOCK_SIZE;
        let is_zeros = this.block.chunks(DIGEST_SIZE).all(|hash| hash == this.zeros);
        let hash = match zeros_above {
            Some(zeros) if is_zeros => zeros,
            _ => self.hasher.hash(&this.block),
        };
        this.block.clear();
        self.push(level + 1, hash)
    }
}

/// SHA-256 with the salt taken in already.
struct SaltedHasher(Sha256);

impl SaltedHasher {
    fn new(salt: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(salt))
    }

    fn hash(&self, block: &[u8]) -> [u8; DIGEST_SIZE] {
        self.0.clone().chain_update(block).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(data_blocks: u64, feed: impl FnOnce(&mut HashTree)) -> (RootHash, Vec<u8>) {
        let parameters = Parameters { data_blocks, salt: [7; 32], uuid: uuid::Uuid::max() };
        let file = tempfile::tempfile().unwrap();
        let mut tree = HashTree::new(&parameters, &file, 8192);
        feed(&mut tree);
        let root = tree.finish().unwrap();
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes.len() as u64, 8192 + parameters.hash_bytes());
        (root, bytes)
    }

    #[test]
    fn holes_and_odd_pieces_give_the_same_tree() {
        let blocks = 300;
        let mut data = vec![0; blocks * BLOCK];
        data[5] = 1;
        data[200 * BLOCK + 17..][..3 * BLOCK].fill(2);
        data[299 * BLOCK] = 3;
        let expected = tree(blocks as u64, |tree| data.chunks(BLOCK).for_each(|block| tree.data(block).unwrap()));
        for size in [1000, BLOCK + 1, 10 * BLOCK, blocks * BLOCK] {
            let pieces = tree(blocks as u64, |tree| {
                for piece in data.chunks(size) {
                    let is_zero = piece.iter().all(|byte| *byte == 0);
                    if is_zero { tree.zeros(piece) } else { tree.data(piece) }.unwrap();
                }
            });
            assert!(pieces == expected, "pieces of {size} bytes");
        }
    }

    #[test]
    fn zeros_without_end_are_the_same_tree_as_data() {
        let zeros = vec![0; 129 * 128 * BLOCK];
        let as_data = tree(129 * 128, |tree| tree.data(&zeros).unwrap());
        let as_hole = tree(129 * 128, |tree| tree.zeros(&zeros).unwrap());
        assert!(as_data == as_hole);
        let hash = |block: &[u8]| Sha256::new().chain_update([7; 32]).chain_update(block).finalize();
        let lowest = &as_hole.1[as_hole.1.len() - BLOCK..];
        assert_eq!(lowest[..DIGEST_SIZE], hash(&[0; BLOCK])[..]);
        assert_eq!(as_hole.0.0, hash(&as_hole.1[8192 + BLOCK..][..BLOCK])[..]);
    }

    #[test]
    fn data_of_another_length_is_an_error() {
        let parameters = Parameters { data_blocks: 200, salt: [7; 32], uuid: uuid::Uuid::max() };
        let file = tempfile::tempfile().unwrap();
        let mut tree = HashTree::new(&parameters, &file, 0);
        tree.data(&[1; 199 * BLOCK]).unwrap();
        assert!(tree.finish().is_err());
        let mut tree = HashTree::new(&parameters, &file, 0);
        tree.data(&[1; 200 * BLOCK + 1]).unwrap();
        assert!(tree.finish().is_err());
    }
}
