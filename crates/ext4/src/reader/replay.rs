//! The journal replayed in memory: what waits in it is read as if it stood in its place, and nothing is written.
//!
//! The rules are those of `fs/jbd2/recovery.c`: the log is scanned for its last whole transaction, its blocks are collected,
//! and those that were revoked are left out. A journal comes from a guest, so nothing in it is trusted:
//!
//! - Each block that is read, each that is found and each run of the journal counts in the reader's budget, and each walk ends
//!   within two rounds of the log.
//! - Memory holds one record of some 40 bytes for each block in the log, not the blocks: with the usual budget, 80 MiB at most.
//! - What the kernel refuses to mount with is not replayed at all, not in part.

mod fast_commit;
mod log;
mod overlay;
mod passes;
mod record;
#[cfg(test)]
mod tests;

pub(super) use overlay::Overlay;

use std::collections::BTreeMap;

use crate::read_at::ReadAt;

use super::{Error, Reader};
use log::Log;
use overlay::Place;

/// What becomes of a journal that waits for its replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replay {
    /// What it holds is read, as after a mount.
    #[default]
    InMemory,
    /// It is left alone: what stands in its place is read.
    Never,
}

/// What became of the journal.
#[derive(Debug, Default)]
pub enum Recovery {
    /// There is nothing to replay, or it was not [asked for](Replay::Never).
    #[default]
    NotDone,
    /// What the journal holds is read, as after a mount.
    Done,
    /// The same, but for fast commits, which are newer than anything that is read (`fast_commit`).
    WithoutFastCommits,
    /// The journal cannot be replayed. What is read is as old as what stands in its place.
    Failed(Error),
}

impl<S: ReadAt> Reader<S> {
    /// The blocks that wait in the journal, and where in the journal they stand.
    pub(super) fn replay(&self) -> Result<(BTreeMap<u64, Place>, Recovery), Error> {
        let Some(log) = Log::open(self)? else { return Ok((BTreeMap::new(), Recovery::Done)) };
        let end = passes::scan(&log)?;
        let mut writes = passes::writes(&log, end)?;
        passes::revoke(&log, end, &mut writes)?;
        let places = writes.into_places(&log)?;
        let recovery = if fast_commit::wait(&log, end)? { Recovery::WithoutFastCommits } else { Recovery::Done };
        Ok((places, recovery))
    }

    /// Checks what a kernel checks of the journal, also when nothing waits in it.
    pub(super) fn check_journal(&self) -> Result<(), Error> {
        Log::open(self).map(drop)
    }
}
