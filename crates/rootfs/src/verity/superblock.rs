//! The superblock before the tree, as `veritysetup` writes and wants it. The kernel does not read it.

use super::{BLOCK_SIZE, Parameters};

/// The first bytes.
const SIGNATURE: &[u8; 8] = b"verity\0\0";
/// The version of the superblock.
const VERSION: u32 = 1;
/// How salt and block are hashed: 1 is the salt first, which is the form of today (0 is that of Chrome OS).
const HASH_TYPE: u32 = 1;
/// The algorithm's name, padded with NULs.
const ALGORITHM: &[u8; 32] = b"sha256\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// Between the salt's size and the salt.
const PADDING: [u8; 6] = [0; 6];

/// The superblock in a block of its own.
pub fn encode(parameters: &Parameters) -> Vec<u8> {
    let block_size = BLOCK_SIZE as u32;
    let fields: [&[u8]; 11] = [
        SIGNATURE,
        &VERSION.to_le_bytes(),
        &HASH_TYPE.to_le_bytes(),
        parameters.uuid.as_bytes(),
        ALGORITHM,
        &block_size.to_le_bytes(), // data_block_size
        &block_size.to_le_bytes(), // hash_block_size
        &parameters.data_blocks.to_le_bytes(),
        &(parameters.salt.len() as u16).to_le_bytes(),
        &PADDING,
        &parameters.salt,
    ];
    let mut block = fields.concat();
    block.resize(BLOCK_SIZE as usize, 0);
    block
}
