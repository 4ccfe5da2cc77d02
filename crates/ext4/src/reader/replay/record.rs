//! What stands in the journal's own blocks, in each of the formats that there were.

use crate::csum::{self, Seed};
use crate::jbd2::{
    COMMIT_CHECKSUM, FLAG_ESCAPE, FLAG_LAST_TAG, FLAG_SAME_UUID, Header, TAIL_SIZE, UUID_SIZE, incompat,
};
use crate::read_at::ReadAt;

use super::log::Log;

/// What a descriptor says of one block (`journal_block_tag_t` and `journal_block_tag3_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// The block of the file system.
    pub block: u64,
    pub is_escaped: bool,
    /// Of the transaction's number and the block; its lower half alone in version 2.
    checksum: u32,
}

/// The tags of a descriptor.
pub(super) fn tags<S: ReadAt>(log: &Log<S>, descriptor: &[u8]) -> Vec<Tag> {
    let size = tag_size(log);
    let tail = if log.has_checksums() { TAIL_SIZE } else { 0 };
    let end = descriptor.len() - tail;
    let mut tags = Vec::new();
    let mut at = Header::SIZE;
    while at + size <= end {
        let tag = &descriptor[at..at + size];
        // The lower half of the word in version 3, and a word of its own before.
        let flags = u32::from(be16(tag, 6));
        let high = if log.has_incompat(incompat::BIT64) { be32(tag, 8) } else { 0 };
        tags.push(Tag {
            block: u64::from(high) << 32 | u64::from(be32(tag, 0)),
            is_escaped: flags & FLAG_ESCAPE != 0,
            checksum: if log.has_incompat(incompat::CSUM_V3) { be32(tag, 12) } else { be16(tag, 4).into() },
        });
        at += size;
        if flags & FLAG_SAME_UUID == 0 {
            at += UUID_SIZE;
        }
        if flags & FLAG_LAST_TAG != 0 {
            break;
        }
    }
    tags
}

/// `journal_tag_bytes`
fn tag_size<S: ReadAt>(log: &Log<S>) -> usize {
    if log.has_incompat(incompat::CSUM_V3) {
        return 16;
    }
    let high = if log.has_incompat(incompat::BIT64) { size_of::<u32>() } else { 0 };
    let checksum = if log.has_incompat(incompat::CSUM_V2) { size_of::<u16>() } else { 0 };
    8 + high + checksum
}

impl Tag {
    /// Whether the block in the journal is the tag's (`jbd2_block_tag_csum_verify`).
    pub fn is_of<S: ReadAt>(&self, log: &Log<S>, sequence: u32, block: &[u8]) -> bool {
        let checksum = log.seed.with(&sequence.to_be_bytes()).crc(block);
        match log.has_incompat(incompat::CSUM_V3) {
            true => self.checksum == checksum,
            false => self.checksum == u32::from(checksum as u16),
        }
    }
}

/// Whether a descriptor or a revoke has the right checksum, if it has any (`jbd2_descriptor_block_csum_verify`).
pub(super) fn is_sealed<S: ReadAt>(log: &Log<S>, block: &[u8]) -> bool {
    let (body, tail) = block.split_at(block.len() - TAIL_SIZE);
    !log.has_checksums() || log.seed.with(body).crc(&[0; TAIL_SIZE]) == be32(tail, 0)
}

/// The blocks that a revoke names (`scan_revoke_records`); `None` when it counts more than it holds.
pub(super) fn revoked<S: ReadAt>(log: &Log<S>, block: &[u8]) -> Option<impl Iterator<Item = u64>> {
    const COUNT: usize = Header::SIZE;
    const RECORDS: usize = COUNT + size_of::<u32>();
    let tail = if log.has_checksums() { TAIL_SIZE } else { 0 };
    // It counts bytes, the header among them.
    let count = be32(block, COUNT) as usize;
    if count > block.len() - tail {
        return None;
    }
    let size = if log.has_incompat(incompat::BIT64) { size_of::<u64>() } else { size_of::<u32>() };
    let records = block.get(RECORDS..count).unwrap_or_default().chunks_exact(size);
    Some(records.map(|record| record.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))))
}

/// Bytes of `struct commit_header`.
const COMMIT_SIZE: usize = 60;

/// When a transaction was committed (`h_commit_sec`), in seconds since 1970.
pub(super) fn commit_time(commit: &[u8]) -> u64 {
    u64::from(be32(commit, 48)) << 32 | u64::from(be32(commit, 52))
}

/// Whether a commit has the right checksum, if it has any (`jbd2_commit_block_csum_verify`). Of a block that reached the
/// disk in part, the header alone may count.
pub(super) fn is_commit_sealed<S: ReadAt>(log: &Log<S>, commit: &[u8]) -> bool {
    let mut block = commit.to_vec();
    let found = be32(&block, COMMIT_CHECKSUM.start);
    block[COMMIT_CHECKSUM].fill(0);
    let is_right = |seed: Seed, block: &[u8]| seed.crc(block) == found;
    if !log.has_checksums() || is_right(log.seed, &block) {
        return true;
    }
    block[COMMIT_SIZE..].fill(0);
    is_right(log.seed, &block)
}

/// The checksum of a transaction's descriptors and blocks, of version 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct OldChecksum(u32);

impl OldChecksum {
    pub fn new() -> Self {
        Self(!0)
    }

    pub fn add(&mut self, block: &[u8]) {
        self.0 = csum::crc32_be(self.0, block);
    }

    /// Whether it is the commit's; a commit may have none.
    pub fn is_of(self, commit: &[u8]) -> bool {
        /// `JBD2_CRC32_CHKSUM` and `JBD2_CRC32_CHKSUM_SIZE`
        const CRC32: [u8; 2] = [1, 4];
        let kind = [commit[Header::SIZE], commit[Header::SIZE + 1]];
        let found = be32(commit, COMMIT_CHECKSUM.start);
        (kind, found) == (CRC32, self.0) || (kind, found) == ([0, 0], 0)
    }
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_be_bytes(*word))
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u16::from_be_bytes(*word))
}
