//! Reads any ext4 file system that Linux can have on a disk, without a mount and without trust.
//!
//! Whatever the bytes are, reading them ends with a result or an error: every number is checked before it is used, and a
//! [`Budget`] bounds the work. Nothing is kept in memory but the places of the bitmaps and inode tables, and of what a journal holds, so a
//! file system may change between two questions.
//!
//! The rules are those of the kernel (`fs/ext4`), by whose names they are called here, and of its documentation ("ext4 Data
//! Structures and Algorithms"). A journal that waits for its replay is read as if it were replayed ([`Reader::recovery`]).
//! Encrypted files stay closed.

mod block_map;
mod budget;
mod content;
mod directory;
mod dirent;
mod error;
mod extents;
mod features;
mod groups;
mod htree;
mod inline;
mod inode;
mod mount;
mod path;
mod replay;
mod superblock;
mod xattr;
mod zones;

pub use budget::Budget;
pub use directory::DirEntry;
pub use error::Error;
pub use inode::Inode;
pub use replay::{Recovery, Replay};
pub use superblock::Superblock;

use std::cell::RefCell;

use crate::csum::Seed;
use crate::read_at::ReadAt;
use crate::superblock::{Superblock as Record, incompat, ro_compat};

use budget::Remaining;
use groups::Group;
use replay::Overlay;

/// As many wrong checksums as are remembered.
const MOST_DOUBTS: usize = 64;

/// What a wrong checksum does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// It is an error, as the kernel has it.
    #[default]
    Required,
    /// What it belongs to is read nevertheless, and [`Reader::doubts`] tells of it.
    Noted,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What a wrong checksum does.
    pub checksums: Checksums,
    /// What becomes of a journal that waits for its replay.
    pub replay: Replay,
    /// How much is read in all.
    pub budget: Budget,
}

/// A file system that is read.
pub struct Reader<S> {
    storage: Overlay<S>,
    superblock: Superblock,
    record: Record,
    seed: Seed,
    groups: Vec<Group>,
    checksums: Checksums,
    remaining: Remaining,
    doubts: RefCell<Vec<String>>,
    recovery: Recovery,
}

impl<S: ReadAt> Reader<S> {
    /// Reads the superblock and the groups' descriptors (64 bytes for each 128 MiB), and the journal if it waits for its
    /// replay.
    ///
    /// # Errors
    /// When there is no ext4 file system, or none that can be read. That a journal cannot be replayed is no error, but told
    /// by [`recovery`](Self::recovery).
    pub fn open(storage: S, options: Options) -> Result<Self, Error> {
        let mut reader = Self::on(Overlay::new(storage), options.checksums, Remaining::new(options.budget))?;
        if options.replay == Replay::Never || !reader.superblock.needs_recovery() {
            return Ok(reader);
        }
        match reader.replay() {
            Ok((places, recovery)) => {
                if !places.is_empty() {
                    let storage = reader.storage.with(reader.superblock.block_size, places);
                    reader = Self::on(storage, reader.checksums, reader.remaining)?;
                    reader.superblock.incompat |= incompat::RECOVER;
                }
                reader.recovery = recovery;
            }
            Err(error @ (Error::Io(_) | Error::OverBudget { .. })) => return Err(error),
            Err(error) => reader.recovery = Recovery::Failed(error),
        }
        Ok(reader)
    }

    fn on(storage: Overlay<S>, checksums: Checksums, remaining: Remaining) -> Result<Self, Error> {
        let superblock = Superblock::read(&storage)?;
        let (record, is_sealed) = superblock::read_record(&storage)?;
        features::check(&superblock)?;
        let seed = match superblock.has_incompat(incompat::CSUM_SEED) {
            true => Seed::named(record.checksum_seed),
            false => Seed::new(&superblock.uuid),
        };
        let (backups, first_meta_bg) = (record.backup_groups, record.first_meta_bg);
        let mut reader = Self {
            storage,
            superblock,
            record,
            seed,
            groups: Vec::new(),
            checksums,
            remaining,
            doubts: RefCell::default(),
            recovery: Recovery::default(),
        };
        if !is_sealed && reader.has_checksums() {
            reader.doubt("the superblock".into())?;
        }
        reader.read_groups(backups, first_meta_bg)?;
        Ok(reader)
    }

    /// The file system's superblock.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Where the file system is read from.
    pub fn storage(&self) -> &S {
        self.storage.below()
    }

    /// What became of the journal.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// What was read despite a wrong checksum ([`Checksums::Noted`]), in words; only so many are remembered.
    pub fn doubts(&self) -> Vec<String> {
        self.doubts.borrow().clone()
    }

    fn has_checksums(&self) -> bool {
        self.superblock.has_ro_compat(ro_compat::METADATA_CSUM)
    }

    /// Something has a wrong checksum.
    fn doubt(&self, what: String) -> Result<(), Error> {
        if self.checksums == Checksums::Required {
            return Err(Error::Checksum { what });
        }
        let mut doubts = self.doubts.borrow_mut();
        if doubts.len() < MOST_DOUBTS && !doubts.contains(&what) {
            doubts.push(what);
        }
        Ok(())
    }

    fn block_size(&self) -> usize {
        self.superblock.block_size as usize
    }

    /// Reads a block of metadata.
    fn block(&self, number: u64) -> Result<Vec<u8>, Error> {
        if number >= self.superblock.blocks {
            return Err(Error::damaged(format!("block {number} is past the end of the file system")));
        }
        self.remaining.spend_structure(self.superblock.block_size)?;
        let mut bytes = vec![0; self.block_size()];
        self.storage.read_at(&mut bytes, number * self.superblock.block_size)?;
        Ok(bytes)
    }

    /// Whether blocks can hold a file's content or map: they lie behind the superblock, and in the file system.
    fn is_within(&self, start: u64, length: u64) -> bool {
        let end = start.checked_add(length);
        start > self.superblock.first_data_block.into() && end.is_some_and(|end| end <= self.superblock.blocks)
    }
}

/// A run of blocks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Where it stands; `None` for a hole, or what is not written, which reads as zeros.
    start: Option<u64>,
    /// How many blocks, at least one. Within it all blocks follow one another.
    length: u64,
}

impl<S: ReadAt> Reader<S> {
    /// Where the block `logical` of a file stands, and those behind it as far as they follow.
    fn run(&self, inode: &Inode, logical: u64) -> Result<Run, Error> {
        match inode.has_flag(crate::inode::EXTENTS_FL) {
            true => self.extent_run(inode, logical),
            false => self.mapped_run(inode, logical),
        }
    }
}
