//! The resize inode: it owns the reserved descriptor blocks, so that the kernel can grow the file system online.
//!
//! A double-indirect block lists the reserved blocks of group 0; each of these lists its copies in the backup groups:
//!
//! ```text
//! i_block[13] -> | ... | block of reserve 1 | block of reserve 2 | ...
//!                        |
//!                        +-> | copy in group 1 | copy in group 3 | copy in group 5 | ...
//! ```
//!
//! The old block map is used and not extents because the kernel reads this shape itself (`verify_reserved_gdb`).
//! e2fsck checks little of it; a mistake shows when the file system grows.

use crate::BLOCK_SIZE;
use crate::geometry::{BLOCKS_PER_GROUP, Geometry};
use crate::inode::{I_BLOCK_SIZE, SECTORS_PER_BLOCK};
use crate::put::Put;

const POINTERS_PER_BLOCK: u64 = BLOCK_SIZE / 4;
const DIRECT_BLOCKS: u64 = 12;
/// The index of the double-indirect pointer in `i_block` (`EXT4_DIND_BLOCK`).
const DOUBLE_INDIRECT: usize = 13;

/// `i_size`: as much as direct, indirect and double-indirect blocks can map.
pub(crate) const FILE_SIZE: u64 =
    (POINTERS_PER_BLOCK * POINTERS_PER_BLOCK + POINTERS_PER_BLOCK + DIRECT_BLOCKS) * BLOCK_SIZE;

/// `i_block`: nothing but the double-indirect block.
pub(crate) fn map(double_indirect: u64) -> [u8; I_BLOCK_SIZE] {
    let mut map = [0; I_BLOCK_SIZE];
    Put::new(&mut map).skip(4 * DOUBLE_INDIRECT).u32(double_indirect as u32).skip_rest();
    map
}

/// The double-indirect block of an `i_block`.
pub(crate) fn double_indirect(map: &[u8; I_BLOCK_SIZE]) -> u64 {
    map.as_chunks().0.get(DOUBLE_INDIRECT).map_or(0, |pointer| u32::from_le_bytes(*pointer).into())
}

/// `i_blocks`, in sectors: the double-indirect block, the reserved blocks, and all their copies.
pub(crate) fn sectors(geometry: &Geometry) -> u64 {
    let places = 1 + geometry.backup_groups().count() as u64;
    SECTORS_PER_BLOCK * (1 + geometry.reserved_blocks * places)
}

/// The double-indirect block: the place of an entry follows from the number of the block that it lists.
pub(crate) fn double_indirect_block(geometry: &Geometry) -> [u8; 4096] {
    let mut block = [0; 4096];
    for reserved in reserved_blocks(geometry) {
        let place = ((reserved - 1) % POINTERS_PER_BLOCK) as usize;
        Put::new(&mut block).skip(4 * place).u32(reserved as u32).skip_rest();
    }
    block
}

/// The reserved blocks of group 0, each with its contents.
pub(crate) fn reserved_block_contents(geometry: &Geometry) -> impl Iterator<Item = (u64, [u8; 4096])> {
    reserved_blocks(geometry).map(|reserved| {
        let mut block = [0; 4096];
        let mut put = Put::new(&mut block);
        for group in geometry.backup_groups() {
            put.u32((group * BLOCKS_PER_GROUP + reserved) as u32);
        }
        (reserved, block)
    })
}

fn reserved_blocks(geometry: &Geometry) -> std::ops::Range<u64> {
    1 + geometry.descriptor_blocks..geometry.super_span()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Inodes;

    fn pointers(block: &[u8]) -> Vec<u32> {
        block.chunks_exact(4).map(|pointer| u32::from_le_bytes(pointer.try_into().unwrap())).collect()
    }

    /// A file system of 9 GiB: 72 groups, two descriptor blocks of 32.
    fn nine_gib() -> Geometry {
        Geometry::new(72 * BLOCKS_PER_GROUP, Inodes::usual(12), 33).unwrap()
    }

    #[test]
    fn every_reserved_block_is_listed_at_its_place() {
        let listed = pointers(&double_indirect_block(&nine_gib()));
        assert_eq!(listed[..2], [0, 0]);
        assert_eq!(listed[2..32], (3..33).collect::<Vec<_>>());
        assert!(listed[32..].iter().all(|pointer| *pointer == 0));
    }

    #[test]
    fn a_reserved_block_lists_its_copies_in_the_backup_groups_ascending() {
        let blocks: Vec<_> = reserved_block_contents(&nine_gib()).collect();
        assert_eq!(blocks.len(), 30);
        for (number, block) in blocks {
            let groups = [1, 3, 5, 7, 9, 25, 27, 49];
            assert_eq!(pointers(&block)[..8], groups.map(|group| group * 32_768 + number as u32));
            assert!(pointers(&block)[8..].iter().all(|pointer| *pointer == 0));
        }
    }

    #[test]
    fn the_inode_counts_the_blocks_and_all_their_copies() {
        assert_eq!(sectors(&nine_gib()), 8 * (1 + 30 * 9));
        assert_eq!(pointers(&map(77))[13], 77);
        assert_eq!(double_indirect(&map(77)), 77);
        assert_eq!(pointers(&map(77)).iter().sum::<u32>(), 77);
    }
}
