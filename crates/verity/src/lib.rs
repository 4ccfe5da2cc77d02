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

mod superblock;
mod table;

pub use superblock::{NotATree, SUPERBLOCK_SIZE, Superblock};
pub use table::{DEVICE, Table};

/// Blocks of data and of hashes, in bytes. The form allows others; nex makes and reads these.
pub const BLOCK_SIZE: u64 = 4096;

/// What the kernel must know to trust the rest: the SHA-256 of the tree's root, with the salt before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootHash(pub [u8; 32]);

impl std::fmt::Display for RootHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
