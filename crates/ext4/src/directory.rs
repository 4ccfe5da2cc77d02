//! A directory's content: a list of names in one block, or leaves of names behind an index.
//!
//! The rule is the kernel's own: as soon as the names need a second block, the directory is indexed. A list of two
//! blocks would be legal, but the kernel never indexes such a list later, however long it grows, and one of three
//! blocks would be rebuilt by `e2fsck -fy`.

use crate::csum::Seed;
use crate::dirent::{self, Leaf};
pub(crate) use crate::dirent::{Block, Entry};
pub(crate) use crate::dirhash::HashSeed;
use crate::htree::Index;
pub(crate) use crate::htree::{FanOut, IndexFull, Rules};

/// Where each name of a directory goes. It depends on the names and their order, not on inode numbers, and takes eight
/// bytes for each name (24 more while it is planned or written: `docs/limits.md` has measurements).
#[derive(Clone, Debug)]
pub(crate) enum Layout {
    /// Names in the order in which they were given.
    Linear(List),
    /// Names by their hash.
    Indexed(Index),
}

impl Layout {
    /// The layout of a directory with these names, `.` and `..` not among them.
    pub fn plan(entries: &[Entry], rules: Rules) -> Result<Self, IndexFull> {
        let list = List::plan(entries, 1);
        if list.block_count() == 1 {
            return Ok(Self::Linear(list));
        }
        Index::plan(entries, rules).map(Self::Indexed)
    }

    /// The layout of `/lost+found`: a list whatever its length, because e2fsck fills it without looking for an index,
    /// and with at least so many blocks.
    pub fn lost_and_found(entries: &[Entry], min_blocks: u32) -> Self {
        Self::Linear(List::plan(entries, min_blocks))
    }

    /// How many blocks the directory takes.
    pub fn block_count(&self) -> u32 {
        match self {
            Self::Linear(list) => list.block_count(),
            Self::Indexed(index) => index.block_count(),
        }
    }

    /// Whether the directory's inode has [`INDEX_FL`](crate::inode::INDEX_FL).
    pub fn is_indexed(&self) -> bool {
        matches!(self, Self::Indexed(_))
    }

    /// Whether the file system needs the feature `large_dir`.
    pub fn needs_large_dir(&self) -> bool {
        matches!(self, Self::Indexed(index) if index.is_deep())
    }

    /// Gives the blocks of directory `own` to `sink`, in their order. `entries` has the names for which the layout was
    /// made, in the same order; `seed` is the directory's inode's.
    pub fn encode<E>(
        &self,
        own: u32,
        parent: u32,
        entries: &[Entry],
        seed: Seed,
        sink: &mut dyn FnMut(&Block) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Linear(list) => list.encode(own, parent, entries, seed, sink),
            Self::Indexed(index) => index.encode(own, parent, entries, seed, sink),
        }
    }
}

/// A directory without index.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// For each block the place of the first entry behind it.
    ends: Vec<u32>,
}

impl List {
    fn plan(entries: &[Entry], min_blocks: u32) -> Self {
        let mut ends = Vec::new();
        let mut used = Entry::this(0).size() + Entry::parent(0).size();
        for (place, entry) in entries.iter().enumerate() {
            if used + entry.size() > dirent::ROOM {
                ends.push(place as u32);
                used = 0;
            }
            used += entry.size();
        }
        ends.push(entries.len() as u32);
        ends.resize(ends.len().max(min_blocks as usize), entries.len() as u32);
        Self { ends }
    }

    fn block_count(&self) -> u32 {
        self.ends.len() as u32
    }

    fn encode<E>(
        &self,
        own: u32,
        parent: u32,
        entries: &[Entry],
        seed: Seed,
        sink: &mut dyn FnMut(&Block) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut leaf = Leaf::new();
        leaf.push(&Entry::this(own));
        leaf.push(&Entry::parent(parent));
        let mut start = 0;
        for end in &self.ends {
            let end = *end as usize;
            entries[start..end].iter().for_each(|entry| leaf.push(entry));
            sink(&std::mem::replace(&mut leaf, Leaf::new()).seal(seed))?;
            start = end;
        }
        Ok(())
    }
}
