//! What the kernel must be told to use a tree.

use crate::{BLOCK_SIZE, RootHash, Superblock};

/// What device mapper counts in, in bytes.
const SECTOR: u64 = 512;

/// The version of the form of a dm-verity table.
const VERSION: u32 = 1;

/// The name of the mapped device.
const NAME: &str = "rootfs";

/// The first mapped device, as the kernel and `root=` call it.
pub const DEVICE: &str = "/dev/dm-0";

/// A root that is checked by a tree.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The tree.
    pub superblock: &'a Superblock,
    /// Its root's hash.
    pub root_hash: RootHash,
    /// The device of the data, as the guest names it.
    pub data: &'a str,
    /// The device of the tree; the same where the tree stands behind the data.
    pub hashes: &'a str,
    /// Where the superblock begins on that device, in bytes.
    pub offset: u64,
}

impl Table<'_> {
    /// The words for the kernel's command line, by which it makes [`DEVICE`] and takes it for its root.
    pub fn kernel_arguments(&self) -> String {
        let Self { superblock, root_hash, data, hashes, offset } = self;
        let Superblock { data_blocks, salt, .. } = superblock;
        let sectors = data_blocks.saturating_mul(BLOCK_SIZE / SECTOR);
        let start = offset / BLOCK_SIZE + 1;
        // A dash stands for no salt.
        let salt = if salt.is_empty() {
            "-".into()
        } else {
            salt.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        format!(
            "dm-mod.create=\"{NAME},,,ro,0 {sectors} verity {VERSION} {data} {hashes} {BLOCK_SIZE} {BLOCK_SIZE} \
             {data_blocks} {start} sha256 {root_hash} {salt}\" root={DEVICE} ro"
        )
    }
}
