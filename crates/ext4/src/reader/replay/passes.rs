//! The walks through the log (`do_one_pass`): to its end, for its blocks, and for what was revoked.

use std::collections::BTreeMap;

use crate::jbd2::{Header, block_type, incompat};
use crate::read_at::ReadAt;

use super::super::Error;
use super::log::Log;
use super::overlay::Place;
use super::record::{self, OldChecksum};

/// As many revoked blocks count in the budget as one structure does.
const REVOKES_OF_A_STRUCTURE: usize = 16;

/// A block of the journal's own.
struct Step {
    block_type: u32,
    block: Vec<u8>,
}

/// A walk from one of the journal's own blocks to the next.
struct Walk<'a, S> {
    log: &'a Log<'a, S>,
    /// The block of the journal that comes next.
    next: u32,
    /// The transaction that is looked for.
    sequence: u32,
    /// Blocks that may still be passed: a log that goes round for ever is none.
    left: u64,
}

impl<'a, S: ReadAt> Walk<'a, S> {
    fn new(log: &'a Log<'a, S>) -> Self {
        let left = 2 * u64::from(log.superblock.length);
        Self { log, next: log.superblock.start, sequence: log.superblock.sequence, left }
    }

    /// The next of them; `None` where the log ends.
    fn step(&mut self) -> Result<Option<Step>, Error> {
        let block = self.log.block(self.next)?;
        self.pass(1)?;
        let header = Header::decode(&block).filter(|header| header.sequence == self.sequence);
        let is_own = |header: &Header| {
            [block_type::DESCRIPTOR, block_type::COMMIT, block_type::REVOKE].contains(&header.block_type)
        };
        Ok(header.filter(is_own).map(|header| Step { block_type: header.block_type, block }))
    }

    /// Passes blocks.
    fn pass(&mut self, count: usize) -> Result<(), Error> {
        let count = count as u32;
        let left = self.left.checked_sub(count.into());
        self.left = left.ok_or_else(|| Error::damaged("the journal's log has no end"))?;
        self.next = self.log.after(self.next, count);
        Ok(())
    }
}

/// Finds the transaction that the log ends before.
pub(super) fn scan<S: ReadAt>(log: &Log<S>) -> Result<u32, Error> {
    let mut walk = Walk::new(log);
    let mut checksum = OldChecksum::new();
    let mut last_commit = 0;
    // Where a commit has a wrong checksum, and those behind it may be right.
    let mut end = None;
    // Something had a wrong checksum: it is damage, or left over from the log's last round.
    let mut is_doubtful = false;
    while let Some(step) = walk.step()? {
        match step.block_type {
            block_type::DESCRIPTOR => {
                is_doubtful |= !record::is_sealed(log, &step.block);
                let count = record::tags(log, &step.block).len();
                if log.has_old_checksums() && !is_doubtful && end.is_none() {
                    checksum.add(&step.block);
                    for _ in 0..count {
                        checksum.add(&log.block(walk.next)?);
                        walk.pass(1)?;
                    }
                } else {
                    walk.pass(count)?;
                }
            }
            block_type::REVOKE => is_doubtful |= !record::is_sealed(log, &step.block),
            _ => {
                let time = record::commit_time(&step.block);
                let is_right = match log.has_old_checksums() {
                    true => end.is_none() && checksum.is_of(&step.block),
                    false => !is_doubtful && record::is_commit_sealed(log, &step.block),
                };
                let has_failed = log.has_old_checksums() && end.is_some();
                if !is_right && !has_failed && time < last_commit {
                    break;
                }
                if !is_right {
                    if is_doubtful || has_failed || !log.has_incompat(incompat::ASYNC_COMMIT) {
                        return Err(Error::Checksum { what: format!("transaction {} in the journal", walk.sequence) });
                    }
                    end = Some(walk.sequence);
                }
                checksum = OldChecksum::new();
                last_commit = time;
                walk.sequence = walk.sequence.wrapping_add(1);
            }
        }
    }
    Ok(end.unwrap_or(walk.sequence))
}

/// The newest bytes of blocks, as far as they are in the log.
#[derive(Default)]
pub(super) struct Writes {
    /// To each block of the file system where the journal has it, and in which transaction.
    newest: BTreeMap<u64, Write>,
    /// The blocks that had a wrong checksum, and in which transaction last.
    wrong: BTreeMap<u64, u32>,
}

struct Write {
    index: u32,
    sequence: u32,
    is_escaped: bool,
}

/// Collects the blocks of all transactions before `end`.
pub(super) fn writes<S: ReadAt>(log: &Log<S>, end: u32) -> Result<Writes, Error> {
    let mut writes = Writes::default();
    each(log, end, |walk, step| {
        if step.block_type != block_type::DESCRIPTOR {
            return Ok(());
        }
        if !record::is_sealed(log, &step.block) {
            return Err(Error::Checksum { what: format!("transaction {} in the journal", walk.sequence) });
        }
        for tag in record::tags(log, &step.block) {
            let (index, sequence) = (walk.next, walk.sequence);
            walk.pass(1)?;
            // What is kept of it is paid for, whether it is read here or not.
            log.reader.remaining.spend_structure(0)?;
            if log.has_checksums() && !tag.is_of(log, sequence, &log.block(index)?) {
                writes.wrong.insert(tag.block, sequence);
            }
            writes.newest.insert(tag.block, Write { index, sequence, is_escaped: tag.is_escaped });
        }
        Ok(())
    })?;
    Ok(writes)
}

/// Takes out what a later transaction, or the same one, has revoked: the block belongs to something else by now.
pub(super) fn revoke<S: ReadAt>(log: &Log<S>, end: u32, writes: &mut Writes) -> Result<(), Error> {
    each(log, end, |walk, step| match step.block_type {
        block_type::DESCRIPTOR => walk.pass(record::tags(log, &step.block).len()),
        block_type::REVOKE => {
            let blocks = record::revoked(log, &step.block);
            let blocks = blocks.ok_or_else(|| Error::damaged("a revoke in the journal is longer than its block"))?;
            for (number, block) in blocks.enumerate() {
                if number % REVOKES_OF_A_STRUCTURE == 0 {
                    log.reader.remaining.spend_structure(0)?;
                }
                let is_older = |sequence: u32| !is_after(sequence, walk.sequence);
                if writes.newest.get(&block).is_some_and(|write| is_older(write.sequence)) {
                    writes.newest.remove(&block);
                }
                if writes.wrong.get(&block).is_some_and(|sequence| is_older(*sequence)) {
                    writes.wrong.remove(&block);
                }
            }
            Ok(())
        }
        _ => Ok(()),
    })
}

impl Writes {
    /// How many blocks there are.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.newest.len()
    }

    /// Where the blocks stand, when all of them may be written.
    pub fn into_places<S: ReadAt>(self, log: &Log<S>) -> Result<BTreeMap<u64, Place>, Error> {
        if let Some((block, sequence)) = self.wrong.first_key_value() {
            return Err(Error::Checksum { what: format!("block {block} in transaction {sequence} in the journal") });
        }
        let place = |(block, write): (u64, Write)| {
            log.check_target(block)?;
            Ok((block, Place { block: log.place(write.index)?, is_escaped: write.is_escaped }))
        };
        self.newest.into_iter().map(place).collect()
    }
}

/// Goes through the transactions before `end`. Who is given a descriptor passes its blocks.
fn each<'a, S: ReadAt>(
    log: &'a Log<'a, S>,
    end: u32,
    mut visit: impl FnMut(&mut Walk<'a, S>, &Step) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut walk = Walk::new(log);
    while is_after(end, walk.sequence) {
        let step = walk.step()?.ok_or_else(|| Error::damaged("the journal changes while it is read"))?;
        visit(&mut walk, &step)?;
        if step.block_type == block_type::COMMIT {
            walk.sequence = walk.sequence.wrapping_add(1);
        }
    }
    Ok(())
}

/// Whether a transaction comes after another: numbers wrap (`tid_gt`).
fn is_after(one: u32, other: u32) -> bool {
    one.wrapping_sub(other) as i32 > 0
}
