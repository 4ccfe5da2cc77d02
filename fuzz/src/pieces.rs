//! An image in pieces of metadata, to be damaged behind right checksums.
//!
//! Fields stand where the kernel's `struct ext4_super_block`, `ext4_group_desc` and `ext4_inode` have them. The checksums
//! are computed here again, by the rules of the kernel's documentation ("Checksums"), and not by the code under test.

use std::sync::Arc;

use crate::memory::{BLOCK, Blocks, Memory, stored};

const INODE: usize = 256;
const DESCRIPTOR: usize = 64;

/// Bytes of one change: which piece, where in it, and the new byte.
pub const CHANGE: usize = 5;

/// An image before damage, and where its metadata stands.
pub struct Base {
    blocks: Blocks,
    size: u64,
    pieces: Vec<Piece>,
    seed: u32,
    inodes_per_group: u32,
}

/// A piece of metadata with a checksum of its own.
#[derive(Clone, Copy)]
struct Piece {
    kind: What,
    block: u64,
    /// Where it begins in its block, and how long it is.
    offset: usize,
    length: usize,
}

#[derive(Clone, Copy)]
enum What {
    Superblock,
    Descriptor {
        group: u32,
    },
    BlockBitmap {
        group: u32,
    },
    InodeBitmap {
        group: u32,
    },
    Inode {
        number: u32,
    },
    /// A block of an inode's directory or extent tree; the seed is the inode's.
    Leaf {
        seed: u32,
    },
    Index {
        seed: u32,
    },
    Extents {
        seed: u32,
    },
    Journal,
    /// A block of a file, which nothing seals.
    Content,
}

impl Base {
    /// Takes an image of ours apart.
    pub fn new(bytes: &[u8]) -> Self {
        let blocks = (0..).zip(bytes.chunks_exact(BLOCK)).filter(|(_, block)| block.iter().any(|&byte| byte != 0));
        let blocks = blocks.map(|(number, block)| (number, Arc::new(block.try_into().expect("a block"))));
        let mut base = Self {
            blocks: blocks.collect(),
            size: bytes.len() as u64,
            pieces: Vec::new(),
            seed: crc(!0, &bytes[1024 + 0x68..][..16]),
            inodes_per_group: u32_at(bytes, 1024 + 0x28),
        };
        base.find_pieces(bytes);
        base
    }

    /// With the blocks of its files among the pieces.
    pub fn with_content(mut self) -> Self {
        let metadata: Vec<u64> = self.pieces.iter().map(|piece| piece.block).collect();
        let content = self.blocks.keys().filter(|block| !metadata.contains(block));
        let pieces = content.map(|block| Piece { kind: What::Content, block: *block, offset: 0, length: BLOCK });
        self.pieces.extend(pieces.collect::<Vec<_>>());
        self
    }

    /// The image with changes in it.
    pub fn damaged(&self, changes: &[u8]) -> Memory {
        let mut blocks = self.blocks.clone();
        let mut touched = Vec::new();
        for change in changes.chunks_exact(CHANGE).take(64) {
            let which = usize::from(u16::from_le_bytes([change[0], change[1]])) % self.pieces.len();
            let piece = self.pieces[which];
            let at = piece.offset + usize::from(u16::from_le_bytes([change[2], change[3]])) % piece.length;
            stored(&mut blocks, piece.block)[at] = change[4];
            touched.push(piece);
        }
        touched.iter().for_each(|piece| self.seal(&mut blocks, piece));
        // Descriptors hold the checksums of bitmaps, so theirs come last.
        self.pieces
            .iter()
            .filter(|piece| matches!(piece.kind, What::Descriptor { .. }))
            .for_each(|piece| self.seal(&mut blocks, piece));
        Memory::new(blocks, self.size)
    }

    fn find_pieces(&mut self, bytes: &[u8]) {
        let piece = |kind, block, offset, length| Piece { kind, block, offset, length };
        self.pieces.push(piece(What::Superblock, 0, 1024, 1024));
        let group_count = u32_at(bytes, 1024 + 4).div_ceil(32_768);
        for group in 0..group_count {
            let at = BLOCK + group as usize * DESCRIPTOR;
            let block = |field: usize| u64::from(u32_at(bytes, at + field));
            self.pieces.extend([
                piece(What::Descriptor { group }, 1, at - BLOCK, DESCRIPTOR),
                piece(What::BlockBitmap { group }, block(0), 0, BLOCK),
                piece(What::InodeBitmap { group }, block(4), 0, self.inodes_per_group as usize / 8),
            ]);
            for index in 0..self.inodes_per_group {
                let offset = block(8) as usize * BLOCK + index as usize * INODE;
                let (mode, number) = (u16_at(bytes, offset), group * self.inodes_per_group + index + 1);
                if mode != 0 {
                    self.pieces.push(piece(What::Inode { number }, (offset / BLOCK) as u64, offset % BLOCK, INODE));
                    self.find_blocks_of(bytes, offset, number);
                }
            }
        }
    }

    /// The blocks of an inode's extent tree, and those of a directory or the journal.
    fn find_blocks_of(&mut self, bytes: &[u8], inode: usize, number: u32) {
        const DIRECTORY: u16 = 0o040_000;
        const EXTENTS: u32 = 0x80000;
        const JOURNAL: u32 = 8;
        if u32_at(bytes, inode + 0x20) & EXTENTS == 0 {
            return;
        }
        let seed = crc(crc(self.seed, &number.to_le_bytes()), &bytes[inode + 0x64..][..4]);
        let is_directory = u16_at(bytes, inode) & 0o170_000 == DIRECTORY;
        let mut nodes = vec![inode + 0x28];
        while let Some(node) = nodes.pop() {
            let (entries, depth) = (usize::from(u16_at(bytes, node + 2)), u16_at(bytes, node + 6));
            for entry in (0..entries).map(|index| node + 12 + index * 12) {
                if depth > 0 {
                    let block = u64::from(u32_at(bytes, entry + 4));
                    nodes.push(block as usize * BLOCK);
                    self.pieces.push(Piece { kind: What::Extents { seed }, block, offset: 0, length: BLOCK });
                    continue;
                }
                let (logical, length) = (u32_at(bytes, entry), u64::from(u16_at(bytes, entry + 4)));
                let start = u64::from(u32_at(bytes, entry + 8));
                if number == JOURNAL && logical == 0 {
                    self.pieces.push(Piece { kind: What::Journal, block: start, offset: 0, length: 1024 });
                }
                for block in (start..start + length).filter(|_| is_directory) {
                    let tail = block as usize * BLOCK + BLOCK - 12;
                    let kind = if bytes[tail + 7] == 0xde { What::Leaf { seed } } else { What::Index { seed } };
                    self.pieces.push(Piece { kind, block, offset: 0, length: BLOCK });
                }
            }
        }
    }

    /// Makes a piece's checksum the one of its bytes.
    fn seal(&self, blocks: &mut Blocks, piece: &Piece) {
        let Some(block) = blocks.get(&piece.block) else { return };
        let mut bytes = block[piece.offset..piece.offset + piece.length].to_vec();
        match piece.kind {
            What::Superblock => {
                let sum = crc(!0, &bytes[..1020]);
                bytes[1020..].copy_from_slice(&sum.to_le_bytes());
            }
            What::Descriptor { group } => {
                bytes[0x1e..0x20].fill(0);
                let sum = crc(crc(self.seed, &group.to_le_bytes()), &bytes) as u16;
                bytes[0x1e..0x20].copy_from_slice(&sum.to_le_bytes());
            }
            What::BlockBitmap { group } => return put_halves(blocks, group, crc(self.seed, &bytes), 0x18, 0x38),
            What::InodeBitmap { group } => return put_halves(blocks, group, crc(self.seed, &bytes), 0x1a, 0x3a),
            What::Inode { number } => {
                bytes[0x7c..0x7e].fill(0);
                bytes[0x82..0x84].fill(0);
                let seed = crc(crc(self.seed, &number.to_le_bytes()), &bytes[0x64..0x68]);
                let sum = crc(seed, &bytes).to_le_bytes();
                bytes[0x7c..0x7e].copy_from_slice(&sum[..2]);
                bytes[0x82..0x84].copy_from_slice(&sum[2..]);
            }
            What::Leaf { seed } => {
                let sum = crc(seed, &bytes[..BLOCK - 12]);
                bytes[BLOCK - 4..].copy_from_slice(&sum.to_le_bytes());
            }
            What::Index { seed } => {
                // The root of an index has two entries of a directory and the index's own header in front.
                let start = if u16_at(&bytes, 4) == 12 { 0x20 } else { 8 };
                let (limit, count) = (usize::from(u16_at(&bytes, start)), usize::from(u16_at(&bytes, start + 2)));
                let (end, tail) = (start + count * 8, start + limit * 8);
                if tail + 8 <= BLOCK && end <= tail {
                    let sum = crc(crc(seed, &bytes[..end]), &[0; 8]);
                    bytes[tail + 4..tail + 8].copy_from_slice(&sum.to_le_bytes());
                }
            }
            What::Extents { seed } => {
                let tail = 12 + usize::from(u16_at(&bytes, 4)) * 12;
                if tail + 4 <= BLOCK {
                    let sum = crc(seed, &bytes[..tail]);
                    bytes[tail..tail + 4].copy_from_slice(&sum.to_le_bytes());
                }
            }
            What::Content => {}
            What::Journal => {
                bytes[0xfc..0x100].fill(0);
                let sum = crc(!0, &bytes);
                bytes[0xfc..0x100].copy_from_slice(&sum.to_be_bytes());
            }
        }
        stored(blocks, piece.block)[piece.offset..][..piece.length].copy_from_slice(&bytes);
    }
}

/// Puts a bitmap's checksum into its group's descriptor.
fn put_halves(blocks: &mut Blocks, group: u32, sum: u32, low: usize, high: usize) {
    let at = group as usize * DESCRIPTOR;
    let descriptors = stored(blocks, 1);
    descriptors[at + low..][..2].copy_from_slice(&sum.to_le_bytes()[..2]);
    descriptors[at + high..][..2].copy_from_slice(&sum.to_le_bytes()[2..]);
}

/// The checksum of the kernel: crc32c without the inversions that other users of it make.
fn crc(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
