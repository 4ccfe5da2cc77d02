//! The journal: an empty one, of which only its superblock is written. Unlike ext4, it is big-endian.

use crate::BLOCK_SIZE;
use crate::csum;
use crate::error::Error;
use crate::options::Journal;
use crate::put::Put;

/// Sizes as mke2fs picks them (`ext2fs_default_journal_size`): file systems below so many blocks get such a journal.
const SIZES: [(u64, u64); 8] = [
    (32 << 10, Journal::MIN_BLOCKS),
    (256 << 10, 4 << 10),
    (512 << 10, 8 << 10),
    (4 << 20, 16 << 10),
    (8 << 20, 32 << 10),
    (16 << 20, 64 << 10),
    (32 << 20, 128 << 10),
    (u64::MAX, 256 << 10),
];

/// `JBD2_MAGIC_NUMBER`.
const MAGIC: u32 = 0xC03B_3998;
/// `JBD2_SUPERBLOCK_V2`.
const SUPERBLOCK_V2: u32 = 4;
/// `JBD2_FEATURE_INCOMPAT_REVOKE | JBD2_FEATURE_INCOMPAT_64BIT | JBD2_FEATURE_INCOMPAT_CSUM_V3`.
const INCOMPAT_FEATURES: u32 = 0x1 | 0x2 | 0x10;
/// `JBD2_CRC32C_CHKSUM`.
const CHECKSUM_CRC32C: u8 = 4;
/// The file systems that use the journal: ours.
const NR_USERS: u32 = 1;
/// Bytes of `s_dynsuper`, `s_max_transaction` and `s_max_trans_data`, all unused.
const LIMITS: usize = 3 * size_of::<u32>();
/// Bytes of `struct journal_superblock_s`, all of which the checksum covers.
const SUPERBLOCK_SIZE: usize = 1024;
/// Where `s_checksum` stands.
const CHECKSUM: std::ops::Range<usize> = 0xFC..0x100;

impl Journal {
    /// The smallest journal that the kernel takes (`JBD2_MIN_JOURNAL_BLOCKS`): 4 MiB.
    pub const MIN_BLOCKS: u64 = 1024;
    /// The largest journal that mke2fs makes: 40,000 MiB.
    pub const MAX_BLOCKS: u64 = 10_240_000;

    /// Whether such a journal can be had.
    ///
    /// # Errors
    /// When it would be too small or too large.
    pub fn check(self) -> Result<(), Error> {
        match self {
            Self::Blocks(blocks) if !(Self::MIN_BLOCKS..=Self::MAX_BLOCKS).contains(&blocks) => {
                Err(Error::JournalSize { size: blocks.saturating_mul(BLOCK_SIZE) })
            }
            _ => Ok(()),
        }
    }

    /// The journal's blocks in a file system of so many blocks with room to spare.
    pub(crate) fn best(self, block_count: u64) -> u64 {
        match self {
            Self::Usual => usual(block_count),
            Self::Blocks(blocks) => blocks,
            Self::None => 0,
        }
    }

    /// The journal's blocks where room is scarce.
    pub(crate) fn least(self) -> u64 {
        self.best(0)
    }

    /// The journals that may serve a file system of so many blocks, the best first.
    pub(crate) fn candidates(self, block_count: u64) -> impl Iterator<Item = u64> {
        let best = self.best(block_count);
        let smaller = SIZES.iter().rev().map(|(_, journal)| *journal).filter(move |journal| *journal < best);
        std::iter::once(best).chain(smaller.filter(move |_| self == Self::Usual))
    }
}

/// The usual journal's blocks.
fn usual(block_count: u64) -> u64 {
    SIZES.iter().find(|(below, _)| block_count < *below).map_or(Journal::MIN_BLOCKS, |(_, journal)| *journal)
}

/// The first block of a journal of `length` blocks that holds no transaction.
pub(crate) fn superblock(length: u32, uuid: &[u8; 16]) -> [u8; 4096] {
    let words = [
        MAGIC,
        SUPERBLOCK_V2,
        0, // h_sequence
        4096,
        length,
        1, // s_first: the first block behind this one
        1, // s_sequence
        0, // s_start: nothing to replay
        0, // s_errno
        0, // s_feature_compat
        INCOMPAT_FEATURES,
        0, // s_feature_ro_compat
    ];
    let mut record = [0; SUPERBLOCK_SIZE];
    let mut put = Put::new(&mut record);
    words.iter().for_each(|word| _ = put.bytes(&word.to_be_bytes()));
    put.bytes(uuid).bytes(&NR_USERS.to_be_bytes()).skip(LIMITS).u8(CHECKSUM_CRC32C).skip_rest();
    let checksum = csum::Seed::NONE.crc(&record);
    record[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    let mut block = [0; 4096];
    block[..SUPERBLOCK_SIZE].copy_from_slice(&record);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_grows_with_the_file_system_as_mke2fs_has_it() {
        let mib = |size: u64| Journal::Usual.best(size * 256);
        assert_eq!([mib(64), mib(127), mib(128), mib(1024), mib(2048)], [1024, 1024, 4096, 8192, 16_384]);
        assert_eq!(mib(1 << 20), 262_144);
        assert_eq!(Journal::Usual.candidates(512 << 10).collect::<Vec<_>>(), [16_384, 8192, 4096, 1024]);
    }

    #[test]
    fn a_journal_that_was_asked_for_is_that_or_none() {
        assert_eq!(Journal::Blocks(5000).candidates(512 << 10).collect::<Vec<_>>(), [5000]);
        assert_eq!(Journal::None.candidates(512 << 10).collect::<Vec<_>>(), [0]);
        for (blocks, is_legal) in [(1023, false), (1024, true), (10_240_000, true), (10_240_001, false)] {
            assert_eq!(Journal::Blocks(blocks).check().is_ok(), is_legal, "{blocks} blocks");
        }
    }
}
