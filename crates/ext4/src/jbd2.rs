//! The blocks of a journal (JBD2): its superblock, and the descriptor and commit of a transaction.
//!
//! ```text
//! | superblock | descriptor | block | block | ... | commit |
//!              names where each block belongs       makes all of them count
//! ```
//!
//! Unlike ext4, a journal is big-endian. Checksums are of version 3 (`csum_v3`).

use crate::csum::Seed;
use crate::fields::Fields;
use crate::get::Get;
use crate::put::{Put, high32, low32};

const BLOCK: usize = crate::BLOCK_SIZE as usize;

/// `JBD2_MAGIC_NUMBER`.
pub(crate) const MAGIC: u32 = 0xC03B_3998;

/// What a block of the journal is (`h_blocktype`).
pub(crate) mod block_type {
    pub const DESCRIPTOR: u32 = 1;
    pub const COMMIT: u32 = 2;
    pub const SUPERBLOCK_V1: u32 = 3;
    pub const SUPERBLOCK_V2: u32 = 4;
    pub const REVOKE: u32 = 5;
}

/// `JBD2_FEATURE_COMPAT_CHECKSUM`: a commit has the checksum of its transaction (version 1).
pub(crate) const COMPAT_CHECKSUM: u32 = 0x1;

/// The features of a journal (`JBD2_FEATURE_INCOMPAT_*`).
pub(crate) mod incompat {
    pub const REVOKE: u32 = 0x1;
    pub const BIT64: u32 = 0x2;
    /// A commit may be on the disk before its transaction is.
    pub const ASYNC_COMMIT: u32 = 0x4;
    pub const CSUM_V2: u32 = 0x8;
    pub const CSUM_V3: u32 = 0x10;
    /// The journal's end is kept for fast commits.
    pub const FAST_COMMIT: u32 = 0x20;
    /// Those that a journal of ours has.
    pub const ALL: u32 = REVOKE | BIT64 | CSUM_V3;
}

/// `JBD2_CRC32C_CHKSUM`.
pub(crate) const CHECKSUM_CRC32C: u8 = 4;

/// Bytes of `struct journal_superblock_s`, all of which its checksum covers.
pub(crate) const SUPERBLOCK_SIZE: usize = 1024;
/// Where `s_checksum` stands.
const SUPERBLOCK_CHECKSUM: std::ops::Range<usize> = 0xFC..0x100;
/// Bytes from `s_head` to `s_padding`.
const PADDING: usize = SUPERBLOCK_CHECKSUM.start - 0x58;
/// `JBD2_DEFAULT_FAST_COMMIT_BLOCKS`
pub(crate) const DEFAULT_FAST_COMMIT_BLOCKS: u32 = 256;
/// Bytes of `s_users`.
const USERS: usize = SUPERBLOCK_SIZE - SUPERBLOCK_CHECKSUM.end;

/// `struct journal_header_s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub magic: u32,
    pub block_type: u32,
    pub sequence: u32,
}

impl Header {
    pub const SIZE: usize = 12;

    /// The header that a block begins with; `None` for a block that is none of the journal's own.
    pub fn decode(block: &[u8]) -> Option<Self> {
        let mut header = Self::new(0, 0);
        header.fields(&mut Get::new(block.get(..Self::SIZE)?));
        (header.magic == MAGIC).then_some(header)
    }

    fn new(block_type: u32, sequence: u32) -> Self {
        Self { magic: MAGIC, block_type, sequence }
    }

    fn fields(&mut self, fields: &mut impl Fields) {
        fields.be32(&mut self.magic).be32(&mut self.block_type).be32(&mut self.sequence);
    }
}

/// The journal's superblock, in its first block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub header: Header,
    pub block_size: u32,
    /// Blocks of the journal, this one included.
    pub length: u32,
    /// The first block of the log.
    pub first: u32,
    /// The number of the transaction that the log begins with, or will.
    pub sequence: u32,
    /// Where the log begins; 0 when it is empty, so that there is nothing to replay.
    pub start: u32,
    pub errno: u32,
    pub compat: u32,
    pub incompat: u32,
    pub ro_compat: u32,
    pub uuid: [u8; 16],
    /// The file systems that use the journal.
    pub users: u32,
    /// `s_dynsuper`, `s_max_transaction` and `s_max_trans_data`, all unused.
    limits: [u8; 12],
    pub checksum_type: u8,
    padding2: [u8; 3],
    /// `s_num_fc_blks`: blocks kept for fast commits; 0 stands for [`DEFAULT_FAST_COMMIT_BLOCKS`].
    pub fast_commit_blocks: u32,
    padding: [u8; PADDING],
    user_ids: [u8; USERS],
}

impl Superblock {
    /// An empty journal of `length` blocks.
    pub fn new(length: u32, uuid: &[u8; 16]) -> Self {
        Self {
            header: Header::new(block_type::SUPERBLOCK_V2, 0),
            block_size: BLOCK as u32,
            length,
            first: 1,
            sequence: 1,
            start: 0,
            errno: 0,
            compat: 0,
            incompat: incompat::ALL,
            ro_compat: 0,
            uuid: *uuid,
            users: 1,
            limits: [0; 12],
            checksum_type: CHECKSUM_CRC32C,
            padding2: [0; 3],
            fast_commit_blocks: 0,
            padding: [0; PADDING],
            user_ids: [0; USERS],
        }
    }

    /// The first block.
    pub fn encode(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let record = &mut block[..SUPERBLOCK_SIZE];
        let mut put = Put::new(record);
        self.clone().fields(&mut put, &mut 0);
        put.end();
        let checksum = Seed::NONE.crc(record);
        record[SUPERBLOCK_CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        block
    }

    /// Whether it is the superblock of a journal at all.
    pub fn is_superblock(&self) -> bool {
        self.header.magic == MAGIC && self.header.block_type == block_type::SUPERBLOCK_V2
    }

    /// The superblock as the disk has it, and whether it is one with the right checksum.
    pub fn decode(block: &[u8; BLOCK]) -> (Self, bool) {
        let (superblock, is_sealed) = Self::decode_record(block.first_chunk().unwrap_or(&[0; SUPERBLOCK_SIZE]));
        let is_whole = superblock.is_superblock() && is_sealed;
        (superblock, is_whole)
    }

    /// The superblock, which is that of a journal or not, and whether its checksum is right.
    pub fn decode_record(record: &[u8; SUPERBLOCK_SIZE]) -> (Self, bool) {
        let mut record = *record;
        let mut superblock = Self::new(0, &[0; 16]);
        let mut found = 0;
        let mut get = Get::new(&record);
        superblock.fields(&mut get, &mut found);
        get.end();
        record[SUPERBLOCK_CHECKSUM].fill(0);
        let is_sealed = superblock.checksum_type == CHECKSUM_CRC32C && Seed::NONE.crc(&record) == found;
        (superblock, is_sealed)
    }

    fn fields(&mut self, fields: &mut impl Fields, checksum: &mut u32) {
        self.header.fields(fields);
        fields
            .be32(&mut self.block_size)
            .be32(&mut self.length)
            .be32(&mut self.first)
            .be32(&mut self.sequence)
            .be32(&mut self.start)
            .be32(&mut self.errno)
            .be32(&mut self.compat)
            .be32(&mut self.incompat)
            .be32(&mut self.ro_compat)
            .bytes(&mut self.uuid)
            .be32(&mut self.users)
            .bytes(&mut self.limits)
            .u8(&mut self.checksum_type)
            .bytes(&mut self.padding2)
            .be32(&mut self.fast_commit_blocks)
            .bytes(&mut self.padding)
            .be32(checksum)
            .bytes(&mut self.user_ids);
    }
}

/// `journal_block_tag3_t`.
const TAG_SIZE: usize = 16;
/// The UUID behind the first tag.
pub(crate) const UUID_SIZE: usize = 16;
/// `struct jbd2_journal_block_tail`: the checksum.
pub(crate) const TAIL_SIZE: usize = 4;
/// How many blocks one descriptor names.
pub(crate) const TAGS_PER_DESCRIPTOR: usize = (BLOCK - Header::SIZE - UUID_SIZE - TAIL_SIZE) / TAG_SIZE;

/// The block begins with the journal's magic, and stands in the journal without it (`JBD2_FLAG_ESCAPE`).
pub(crate) const FLAG_ESCAPE: u32 = 1;
/// No UUID follows the tag (`JBD2_FLAG_SAME_UUID`).
pub(crate) const FLAG_SAME_UUID: u32 = 2;
/// The descriptor's last (`JBD2_FLAG_LAST_TAG`).
pub(crate) const FLAG_LAST_TAG: u32 = 8;

/// The blocks of a whole transaction in their order: to each place of the file system its block.
pub(crate) fn transaction<'a>(
    blocks: impl ExactSizeIterator<Item = (u64, &'a [u8; BLOCK])>,
    sequence: u32,
    uuid: &[u8; 16],
) -> Vec<[u8; BLOCK]> {
    let seed = Seed::new(uuid);
    let mut log = Vec::with_capacity(transaction_length(blocks.len()));
    let mut blocks = blocks.peekable();
    while blocks.peek().is_some() {
        let mut tags = Vec::new();
        let mut escaped = Vec::new();
        for (place, block) in blocks.by_ref().take(TAGS_PER_DESCRIPTOR) {
            let (block, flags) = escape(block);
            tags.push(Tag { place, flags, checksum: seed.with(&sequence.to_be_bytes()).crc(&block) });
            escaped.push(block);
        }
        log.push(descriptor(&tags, sequence, uuid));
        log.extend(escaped);
    }
    log.push(commit(sequence, seed));
    log
}

/// How many blocks of the journal a transaction of so many blocks takes.
pub(crate) fn transaction_length(blocks: usize) -> usize {
    blocks + blocks.div_ceil(TAGS_PER_DESCRIPTOR) + 1
}

/// A block must not look like one of the journal's own.
fn escape(block: &[u8; BLOCK]) -> ([u8; BLOCK], u32) {
    let mut block = *block;
    match block.split_first_chunk_mut() {
        Some((start, _)) if *start == MAGIC.to_be_bytes() => {
            *start = [0; 4];
            (block, FLAG_ESCAPE)
        }
        _ => (block, 0),
    }
}

struct Tag {
    place: u64,
    flags: u32,
    /// Of the transaction's number and the block as it stands in the journal.
    checksum: u32,
}

impl Tag {
    fn put(&self, put: &mut Put, more_flags: u32) {
        let words = [low32(self.place), self.flags | more_flags, high32(self.place), self.checksum];
        words.iter().for_each(|word| _ = put.bytes(&word.to_be_bytes()));
    }
}

fn descriptor(tags: &[Tag], sequence: u32, uuid: &[u8; 16]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let (body, tail) = block.split_at_mut(BLOCK - TAIL_SIZE);
    let mut put = Put::new(body);
    Header::new(block_type::DESCRIPTOR, sequence).fields(&mut put);
    for (index, tag) in tags.iter().enumerate() {
        let last = if index + 1 == tags.len() { FLAG_LAST_TAG } else { 0 };
        let same = if index > 0 { FLAG_SAME_UUID } else { 0 };
        tag.put(&mut put, last | same);
        if index == 0 {
            put.bytes(uuid);
        }
    }
    put.skip_rest();
    let checksum = Seed::new(uuid).with(body).crc(tail);
    tail.copy_from_slice(&checksum.to_be_bytes());
    block
}

/// `h_chksum[0]` of a commit, behind the header and four bytes that are zero with version 3.
pub(crate) const COMMIT_CHECKSUM: std::ops::Range<usize> = Header::SIZE + 4..Header::SIZE + 8;

/// `struct commit_header`, of no known time.
fn commit(sequence: u32, seed: Seed) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    Header::new(block_type::COMMIT, sequence).fields(&mut Put::new(&mut block));
    let checksum = seed.crc(&block);
    block[COMMIT_CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    block
}
