//! The forms of dm-verity: the superblock of a hash tree, as `veritysetup` writes and wants it, and the kernel's arguments for a
//! root that is checked by one.
//!
//! ```text
//! superblock   level 1        level 0
//! |  verity  | one block   | hashes of blocks 0 to 127 | of 128 to 255 |...
//!               ^ its hash is the root hash
//! ```
//!
//! The kernel reads no superblock: what stands there comes to it in a table. See
//! <https://docs.kernel.org/admin-guide/device-mapper/verity.html>.

pub mod codes;

mod superblock;
mod table;

pub use superblock::{NotATree, SUPERBLOCK_SIZE, Superblock};
pub use table::{DEVICE, Table};

/// Blocks of data and of hashes, in bytes. The form allows others; nex makes and reads these.
pub const BLOCK_SIZE: u64 = 4096;

/// Hashes in a block of the tree.
const HASHES_PER_BLOCK: u64 = BLOCK_SIZE / 32;

/// How many blocks each level of a tree takes, from the hashes of so many blocks of data up to the one block of the root.
pub fn blocks_of_levels(data_blocks: u64) -> Vec<u64> {
    let mut levels = Vec::new();
    let mut below = data_blocks;
    while below > 1 {
        below = below.div_ceil(HASHES_PER_BLOCK);
        levels.push(below);
    }
    levels
}

/// Bytes of the superblock and the tree for so many blocks of data.
pub fn hash_bytes(data_blocks: u64) -> u64 {
    (1 + blocks_of_levels(data_blocks).iter().sum::<u64>()).saturating_mul(BLOCK_SIZE)
}

/// What the kernel must know to trust the rest: the SHA-256 of the tree's root, with the salt before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootHash(pub [u8; 32]);

impl std::fmt::Display for RootHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
