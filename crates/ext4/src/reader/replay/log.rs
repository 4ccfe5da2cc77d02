//! A journal whose log holds something: its superblock, and where its blocks stand.

use crate::csum::Seed;
use crate::file_type::FileType;
use crate::inode::{ENCRYPT_FL, INLINE_DATA_FL};
use crate::jbd2::{self, CHECKSUM_CRC32C, COMPAT_CHECKSUM, DEFAULT_FAST_COMMIT_BLOCKS, block_type, incompat};
use crate::read_at::ReadAt;
use crate::superblock::compat;

use super::super::{Error, Inode, Reader, Run};

/// `JBD2_MIN_JOURNAL_BLOCKS`: the log alone has as many.
const FEWEST_BLOCKS: u32 = 1024;

/// The features that a kernel knows (`JBD2_KNOWN_INCOMPAT_FEATURES`).
const KNOWN: u32 = incompat::REVOKE
    | incompat::BIT64
    | incompat::ASYNC_COMMIT
    | incompat::CSUM_V2
    | incompat::CSUM_V3
    | incompat::FAST_COMMIT;

/// A journal with something in its log.
pub(super) struct Log<'a, S> {
    pub reader: &'a Reader<S>,
    pub superblock: jbd2::Superblock,
    /// What its checksums start from (`j_csum_seed`).
    pub seed: Seed,
    /// Where the log ends (`j_last`); fast commits stand behind it.
    pub end: u32,
    /// The journal's blocks in their order, each run with the number of its first block in the journal.
    runs: Vec<(u32, Run)>,
    /// Where they stand in the file system, sorted: the first block, and the one behind the last.
    taken: Vec<(u64, u64)>,
    /// Bytes that the host's file has.
    size: u64,
}

impl<'a, S: ReadAt> Log<'a, S> {
    /// Opens the journal of the file system; `None` when there is nothing in it.
    pub fn open(reader: &'a Reader<S>) -> Result<Option<Self>, Error> {
        let inode = journal_inode(reader)?;
        let first = reader.run(&inode, 0)?.start.ok_or_else(|| hole(0))?;
        let block = reader.block(first)?;
        // A superblock has as many bytes as the smallest block.
        let (mut superblock, is_sealed) = jbd2::Superblock::decode_record(block.first_chunk().ok_or_else(|| hole(0))?);
        if superblock.header.block_type == block_type::SUPERBLOCK_V1 {
            // The fields for features came with the second version.
            (superblock.compat, superblock.incompat, superblock.ro_compat) = (0, 0, 0);
        }
        let blocks = u32::try_from(inode.size / reader.superblock.block_size).unwrap_or(u32::MAX);
        let fast_commits = check(&superblock, is_sealed, blocks, reader.superblock.block_size)?;
        if superblock.start == 0 {
            return Ok(None);
        }
        let runs = runs(reader, &inode, superblock.length)?;
        let mut taken: Vec<(u64, u64)> =
            runs.iter().filter_map(|(_, run)| run.start.map(|start| (start, start + run.length))).collect();
        taken.sort_unstable();
        let seed = Seed::new(&superblock.uuid);
        let end = superblock.length - fast_commits;
        Ok(Some(Self { reader, superblock, seed, end, runs, taken, size: reader.storage.size()? }))
    }

    pub fn has_incompat(&self, bits: u32) -> bool {
        self.superblock.incompat & bits != 0
    }

    /// Whether descriptors, revokes, commits and blocks each have a checksum (`jbd2_journal_has_csum_v2or3`).
    pub fn has_checksums(&self) -> bool {
        self.has_incompat(incompat::CSUM_V2 | incompat::CSUM_V3)
    }

    /// Whether a commit has the checksum of its transaction.
    pub fn has_old_checksums(&self) -> bool {
        self.superblock.compat & COMPAT_CHECKSUM != 0
    }

    /// The block of the journal that follows another by `count` (`wrap`).
    pub fn after(&self, index: u32, count: u32) -> u32 {
        let (index, count, end) = (u64::from(index), u64::from(count), u64::from(self.end));
        let next = index + count;
        let wrapped = if next >= end { next - (end - u64::from(self.superblock.first)) } else { next };
        u32::try_from(wrapped).unwrap_or(u32::MAX)
    }

    /// Where a block of the journal stands in the file system (`jbd2_journal_bmap`).
    pub fn place(&self, index: u32) -> Result<u64, Error> {
        if index >= self.superblock.length {
            return Err(Error::damaged(format!("the journal has no block {index}")));
        }
        let behind = self.runs.partition_point(|(first, _)| *first <= index);
        let run = behind.checked_sub(1).map(|at| &self.runs[at]);
        let place = run.and_then(|(first, run)| Some(run.start? + u64::from(index - first)));
        place.ok_or_else(|| hole(index))
    }

    /// Reads a block of the journal (`jread`).
    pub fn block(&self, index: u32) -> Result<Vec<u8>, Error> {
        self.reader.block(self.place(index)?)
    }

    /// A block may be written to: the host's file has it, and it is none of the journal's own.
    pub fn check_target(&self, block: u64) -> Result<(), Error> {
        let end = block.checked_add(1).and_then(|end| end.checked_mul(self.reader.superblock.block_size));
        if end.is_none_or(|end| end > self.size) {
            return Err(Error::damaged(format!("the journal has block {block}, which is past the end")));
        }
        let behind = self.taken.partition_point(|(start, _)| *start <= block);
        if behind.checked_sub(1).is_some_and(|at| block < self.taken[at].1) {
            return Err(Error::damaged(format!("the journal has block {block}, which is the journal's own")));
        }
        Ok(())
    }
}

/// The inode of a journal that stands in the file system.
fn journal_inode<S: ReadAt>(reader: &Reader<S>) -> Result<Inode, Error> {
    let superblock = &reader.superblock;
    if !superblock.has_compat(compat::HAS_JOURNAL) {
        return Err(Error::damaged("it has needs_recovery, and no journal (has_journal)"));
    }
    if reader.record.journal_device != 0 && superblock.journal_inode != 0 {
        return Err(Error::damaged("it has a journal of its own, and one on another device (s_journal_dev)"));
    }
    if reader.record.journal_device != 0 {
        return Err(Error::unsupported("its journal stands on another device (s_journal_dev)"));
    }
    if superblock.journal_inode == 0 {
        return Err(Error::damaged("its journal has no inode (s_journal_inum)"));
    }
    let number = superblock.journal_inode;
    let none = || Error::damaged(format!("inode {number}, its journal (s_journal_inum), is none"));
    let inode = reader.inode(number).map_err(|error| match error {
        Error::Damaged { .. } => none(),
        error => error,
    })?;
    if inode.file_type != FileType::Regular || inode.has_flag(ENCRYPT_FL) || inode.has_flag(INLINE_DATA_FL) {
        return Err(none());
    }
    Ok(inode)
}

/// What a kernel checks before it looks into the log (`journal_check_superblock`). Gives how many blocks are kept for fast
/// commits.
fn check(superblock: &jbd2::Superblock, is_sealed: bool, blocks: u32, block_size: u64) -> Result<u32, Error> {
    let header = &superblock.header;
    let is_known = [block_type::SUPERBLOCK_V1, block_type::SUPERBLOCK_V2].contains(&header.block_type);
    if header.magic != jbd2::MAGIC || !is_known {
        return Err(Error::damaged("the journal has no superblock"));
    }
    let unknown = superblock.incompat & !KNOWN;
    if unknown != 0 || superblock.ro_compat != 0 {
        let [incompat, ro_compat] = [unknown, superblock.ro_compat];
        return Err(Error::unsupported(format!(
            "its journal has features that no kernel knows (incompat {incompat:#x}, ro_compat {ro_compat:#x})"
        )));
    }
    let versions = [
        superblock.compat & COMPAT_CHECKSUM != 0,
        superblock.incompat & incompat::CSUM_V2 != 0,
        superblock.incompat & incompat::CSUM_V3 != 0,
    ];
    if versions.iter().filter(|has| **has).count() > 1 {
        return Err(Error::damaged("the journal has checksums of two versions"));
    }
    let [_, v2, v3] = versions;
    if (v2 || v3) && (superblock.checksum_type != CHECKSUM_CRC32C || !is_sealed) {
        return Err(Error::Checksum { what: "the journal's superblock".into() });
    }
    let fast_commits = match (superblock.incompat & incompat::FAST_COMMIT, superblock.fast_commit_blocks) {
        (0, _) => 0,
        (_, 0) => DEFAULT_FAST_COMMIT_BLOCKS,
        (_, blocks) => blocks,
    };
    let length = superblock.length;
    let end = length.saturating_sub(fast_commits);
    let wrong = [
        (u64::from(superblock.block_size) != block_size, "s_blocksize"),
        (length > blocks || length < FEWEST_BLOCKS, "s_maxlen"),
        (end < FEWEST_BLOCKS, "s_num_fc_blks"),
        (superblock.first == 0 || superblock.first >= end, "s_first"),
    ];
    match wrong.into_iter().find(|(wrong, _)| *wrong) {
        Some((_, field)) => Err(Error::damaged(format!("the journal's {field} is none that it can have"))),
        None => Ok(fast_commits),
    }
}

/// Where the journal's first `length` blocks stand. Each run costs the budget a structure.
fn runs<S: ReadAt>(reader: &Reader<S>, inode: &Inode, length: u32) -> Result<Vec<(u32, Run)>, Error> {
    let mut runs = Vec::new();
    let mut next = 0;
    while next < length {
        reader.remaining.spend_structure(0)?;
        let mut run = reader.run(inode, next.into())?;
        run.length = run.length.min(u64::from(length - next));
        runs.push((next, run));
        next += run.length as u32;
    }
    Ok(runs)
}

fn hole(index: u32) -> Error {
    Error::damaged(format!("block {index} of the journal is a hole"))
}
