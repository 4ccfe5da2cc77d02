//! dm-verity: a tree of hashes over the file system, by which the kernel checks every block that it reads.
//!
//! The form is the one of `veritysetup format`: a superblock, and behind it the tree, its root first. Whoever knows the
//! hash of the root (it travels in the kernel's arguments) can trust all that the tree covers.
//!
//! ```text
//! file system             superblock   level 1        level 0
//! | block 0 | block 1 |...|  verity  | one block   | hashes of blocks 0 to 127 | of 128 to 255 |...
//!                                       ^ its hash is the root hash
//! ```

mod arguments;
mod tree;

use nex_verity::Superblock;
use uuid::Uuid;

pub use arguments::{Place, guest_needs, report};
pub use nex_verity::{BLOCK_SIZE, RootHash};
pub use tree::HashTree;

/// Bytes of a SHA-256.
const DIGEST_SIZE: usize = 32;

/// What the tree covers, and what makes its hashes and its name the image's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Blocks of the file system.
    pub data_blocks: u64,
    /// Goes into every hash, before the block.
    pub salt: [u8; 32],
    /// The tree's own name.
    pub uuid: Uuid,
}

impl Parameters {
    /// Bytes of the file system.
    pub fn data_bytes(&self) -> u64 {
        self.data_blocks * BLOCK_SIZE
    }

    /// What stands before the tree.
    pub fn superblock(&self) -> Superblock {
        Superblock { data_blocks: self.data_blocks, salt: self.salt.to_vec(), uuid: self.uuid.into_bytes() }
    }

    /// Bytes of the superblock and the tree.
    pub fn hash_bytes(&self) -> u64 {
        nex_verity::hash_bytes(self.data_blocks)
    }

    fn blocks_of_levels(&self) -> Vec<u64> {
        nex_verity::blocks_of_levels(self.data_blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_holds_the_hashes_of_the_one_below() {
        let levels = |data_blocks| Parameters { data_blocks, salt: [0; 32], uuid: Uuid::nil() }.blocks_of_levels();
        assert_eq!(levels(2), [1]);
        assert_eq!(levels(128), [1]);
        assert_eq!(levels(129), [2, 1]);
        assert_eq!(levels(38_400), [300, 3, 1]);
        assert_eq!(levels(1 << 32), [1 << 25, 1 << 18, 1 << 11, 16, 1]);
    }
}
