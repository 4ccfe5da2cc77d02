//! Blocks of metadata that change together or not at all.
//!
//! With a journal, in this order, with a sync between the steps:
//!
//! 1. its blocks are written as they are, so that the host has room for them; the transaction goes to the journal's log,
//!    and `needs_recovery` to the superblock: by its own superblock the log is empty still, so nobody replays it (what is
//!    new stands in free blocks already, and is synced with it);
//! 2. the journal's superblock says where the log begins. **This commits**: from here on a replay makes the change, and
//!    all that decides it stands in one sector;
//! 3. the blocks go to their places, the superblock's behind all others: a kernel reads the descriptors that a superblock
//!    counts before it replays the journal, and refuses to mount where they are not there. What is freed is punched out;
//! 4. the journal's superblock says that the log is empty;
//! 5. `needs_recovery` goes.
//!
//! Without a journal, likewise: 1. the blocks are written as they are, and the superblock says that the file system is not
//! clean; 2. the blocks go to their places; 3. what is freed is punched out; 4. the superblock becomes what it will be, and
//! says that all is clean. A stop in between leaves what `e2fsck -f` repairs without losing the old or the new.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::BLOCK_SIZE;
use crate::content::Extent;
use crate::jbd2;
use crate::numbering;
use crate::superblock::{self, STATE_CLEAN, Superblock, compat, incompat};

use super::error::while_trying;
use super::{BLOCK, Block, EditError, Editor, Outcome};

/// Blocks as they shall be.
#[derive(Default)]
pub(crate) struct Transaction {
    blocks: BTreeMap<u64, Box<Block>>,
}

impl Transaction {
    /// The block as it shall be; to begin with, as it is.
    pub fn block(&mut self, editor: &Editor, number: u64) -> Result<&mut Block, EditError> {
        use std::collections::btree_map::Entry;
        match self.blocks.entry(number) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => Ok(entry.insert(editor.block(number)?)),
        }
    }

    /// Puts the primary superblock into its block.
    fn put_superblock(&mut self, editor: &Editor, superblock: &Superblock) -> Result<(), EditError> {
        let record = superblock.encode(0);
        self.block(editor, 0)?[superblock::PRIMARY_OFFSET as usize..][..superblock::SIZE].copy_from_slice(&record);
        Ok(())
    }

    /// Makes the block these bytes.
    pub fn set(&mut self, number: u64, block: Box<Block>) {
        self.blocks.insert(number, block);
    }
}

/// A change that can be carried out.
pub(crate) struct Prepared {
    transaction: Transaction,
    log: Option<Log>,
    /// The superblock in the end.
    after: Superblock,
}

/// The journal of an existing file system, with nothing in it.
pub(crate) struct Log {
    superblock: jbd2::Superblock,
    /// Its blocks on the disk.
    extents: Vec<Extent>,
}

impl Log {
    /// The runs of its blocks.
    pub fn runs(&self) -> impl Iterator<Item = Range<u64>> {
        self.extents.iter().map(|extent| extent.physical..extent.physical + u64::from(extent.length))
    }

    /// Whether a transaction of so many blocks fits, the superblock's included.
    pub fn holds(&self, blocks: usize) -> bool {
        jbd2::transaction_length(blocks) <= self.room()
    }

    /// Blocks of the log.
    fn room(&self) -> usize {
        (self.superblock.length - self.superblock.first) as usize
    }

    /// Where the journal's blocks from `first` on stand.
    fn places(&self, first: u32) -> impl Iterator<Item = u64> {
        self.runs().flatten().skip(first as usize)
    }
}

impl Editor<'_> {
    /// The journal; `None` when the file system has none.
    pub(crate) fn log(&self) -> Result<Option<Log>, EditError> {
        if self.superblock.compat & compat::HAS_JOURNAL == 0 {
            return Ok(None);
        }
        let number = numbering::JOURNAL;
        let mapping = self.mapping(number, &self.inode(number)?)?;
        let extents: Vec<Extent> = mapping.extents.iter().map(|mapped| mapped.extent).collect();
        let mut length = 0;
        for extent in &extents {
            if extent.logical != length {
                return Err(EditError::damaged("the journal has a hole"));
            }
            length += extent.length;
        }
        let first = extents.first().ok_or_else(|| EditError::damaged("the journal has no blocks"))?;
        let (superblock, is_sealed) = jbd2::Superblock::decode(&*self.block(first.physical)?);
        check(&superblock, is_sealed, length)?;
        Ok(Some(Log { superblock, extents }))
    }

    /// Takes the first step of a change, after which the superblock is as given. What is new stands in free blocks, or
    /// behind the end. The host has room for every block of the transaction afterwards.
    ///
    /// # Errors
    /// The file system is as it was.
    pub(crate) fn prepare(
        &mut self,
        mut transaction: Transaction,
        log: Option<Log>,
        after: Superblock,
    ) -> Result<Prepared, EditError> {
        let mut during = self.superblock.clone();
        match &log {
            Some(log) => {
                during.incompat |= incompat::RECOVER;
                let with_log = Superblock { incompat: after.incompat | incompat::RECOVER, ..after.clone() };
                transaction.put_superblock(self, &with_log)?;
                self.write_log(log, &transaction)?;
            }
            None => during.state &= !STATE_CLEAN,
        }
        self.touch(&transaction)?;
        if let Err(error) = self.write_superblock(&during).and_then(|()| self.sync()) {
            // The first error is the one to tell.
            let _ = self.write_superblock(&self.superblock);
            return Err(error);
        }
        Ok(Prepared { transaction, log, after })
    }

    /// Takes the other steps. Nothing uses the blocks of `freed` afterwards.
    ///
    /// # Errors
    /// [`EditError::Unfinished`]: the file system asks for recovery or repair.
    pub(crate) fn carry_out(&mut self, prepared: Prepared, freed: &[Range<u64>]) -> Result<(), EditError> {
        let Prepared { transaction, mut log, after } = prepared;
        if let Some(log) = &mut log {
            log.superblock.start = log.superblock.first;
            let committed = self.write_log_superblock(log).and_then(|()| self.sync());
            committed.map_err(EditError::unfinished(Outcome::Open))?;
        }
        let outcome = if log.is_some() { Outcome::Decided } else { Outcome::CutShort };
        self.finish(&transaction, log, &after, freed).map_err(EditError::unfinished(outcome))?;
        self.superblock = after;
        Ok(())
    }

    /// What follows the commit.
    fn finish(
        &self,
        transaction: &Transaction,
        mut log: Option<Log>,
        after: &Superblock,
        freed: &[Range<u64>],
    ) -> Result<(), EditError> {
        let (with_superblock, others) = transaction.blocks.iter().partition::<Vec<_>, _>(|(place, _)| **place == 0);
        others.into_iter().try_for_each(|(place, block)| self.write_block(*place, block))?;
        self.sync()?;
        with_superblock.into_iter().try_for_each(|(place, block)| self.write_block(*place, block))?;
        if log.is_none() {
            // Nothing but the blocks in their places decides the change.
            self.sync()?;
        }
        freed.iter().try_for_each(|run| self.punch(run))?;
        self.sync()?;

        if let Some(log) = &mut log {
            log.superblock.start = 0;
            log.superblock.sequence = log.superblock.sequence.wrapping_add(1);
            self.write_log_superblock(log)?;
            self.sync()?;
        }

        self.write_superblock(after)?;
        self.sync()
    }

    /// Writes the transaction's blocks as they are: one of them may be a hole in the file, as the bitmap of a group with
    /// `BLOCK_UNINIT` is, and a host without room for it has to say so before anything is decided.
    fn touch(&self, transaction: &Transaction) -> Result<(), EditError> {
        transaction.blocks.keys().try_for_each(|place| self.write_block(*place, &*self.block(*place)?))
    }

    /// The whole transaction, into the log.
    fn write_log(&self, log: &Log, transaction: &Transaction) -> Result<(), EditError> {
        let blocks = transaction.blocks.iter().map(|(place, block)| (*place, &**block));
        if !log.holds(blocks.len()) {
            let needed = jbd2::transaction_length(blocks.len());
            return Err(EditError::TooScattered { needed, room: log.room() });
        }
        let blocks = jbd2::transaction(blocks, log.superblock.sequence, &log.superblock.uuid);
        log.places(log.superblock.first).zip(&blocks).try_for_each(|(place, block)| self.write_block(place, block))
    }

    fn write_superblock(&self, superblock: &Superblock) -> Result<(), EditError> {
        let record = superblock.encode(0);
        self.storage.write_at(&record, superblock::PRIMARY_OFFSET).map_err(while_trying("write to"))
    }

    fn write_log_superblock(&self, log: &Log) -> Result<(), EditError> {
        log.places(0).take(1).try_for_each(|place| self.write_block(place, &log.superblock.encode()))
    }

    fn write_block(&self, block: u64, bytes: &Block) -> Result<(), EditError> {
        self.storage.write_at(bytes, block * BLOCK_SIZE).map_err(while_trying("write to"))
    }

    /// Takes the bytes of free blocks out of the file, so that nothing deleted can be read from it.
    pub(crate) fn punch(&self, run: &Range<u64>) -> Result<(), EditError> {
        let (offset, length) = (run.start * BLOCK_SIZE, (run.end - run.start) * BLOCK_SIZE);
        self.storage.punch(offset, length).map_err(while_trying("punch a hole into"))
    }

    pub(crate) fn sync(&self) -> Result<(), EditError> {
        self.storage.sync().map_err(while_trying("sync"))
    }
}

/// The journal is one that this crate can write to, and there is nothing in it.
fn check(superblock: &jbd2::Superblock, is_sealed: bool, blocks: u32) -> Result<(), EditError> {
    let has_checksums = superblock.incompat & jbd2::incompat::CSUM_V3 != 0;
    if superblock.is_superblock() && !has_checksums {
        return Err(EditError::foreign("its journal has no checksums (csum_v3); a kernel that writes to it adds them"));
    }
    if !is_sealed {
        return Err(EditError::damaged("the journal's superblock is wrong"));
    }
    let foreign = superblock.incompat & !jbd2::incompat::ALL | superblock.ro_compat;
    if foreign != 0 {
        return Err(EditError::foreign(format!("its journal has the feature {foreign:#x}")));
    }
    let has_room = superblock.first > 0 && superblock.first < superblock.length;
    if superblock.block_size != BLOCK as u32 || superblock.length > blocks || !has_room {
        return Err(EditError::damaged("the journal's sizes make no sense"));
    }
    if superblock.errno != 0 {
        return Err(EditError::damaged("the kernel found errors in it"));
    }
    if superblock.start != 0 { Err(EditError::NeedsRecovery) } else { Ok(()) }
}
