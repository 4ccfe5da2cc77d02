//! The journal: an empty one, of which only its superblock is written.

use crate::BLOCK_SIZE;
use crate::error::Error;
use crate::jbd2;
use crate::options::Journal;

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
    jbd2::Superblock::new(length, uuid).encode()
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
