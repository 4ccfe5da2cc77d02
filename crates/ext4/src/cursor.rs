//! Where the next block goes: always forward, over the places of the backups.

use std::ops::Range;

use crate::content::{Extent, MAX_EXTENT_LENGTH};
use crate::geometry::{BLOCKS_PER_GROUP, backup_groups, has_super};

/// The first block that is not taken yet. It never stands in the span of blocks that a backup may take.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    next: u64,
    /// Where the room that begins at `next` ends: at the next backup.
    end: u64,
    span: u64,
    /// The block behind the last one taken; differs from `next` where a backup stands between.
    taken_end: u64,
}

impl Cursor {
    /// Behind the primary superblock and descriptors, which take `span` blocks.
    pub fn new(span: u64) -> Self {
        Self { next: span, end: BLOCKS_PER_GROUP, span, taken_end: span }
    }

    /// Where a cursor stands that has taken the blocks up to `taken_end`; `None` when none can stand there.
    pub fn at(span: u64, taken_end: u64) -> Option<Self> {
        let mut cursor = Self::new(span);
        while taken_end > cursor.end {
            cursor.hop();
        }
        cursor.advance(taken_end.checked_sub(cursor.next)?);
        Some(cursor)
    }

    /// The next block.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The block behind the last one taken.
    pub fn taken_end(&self) -> u64 {
        self.taken_end
    }

    /// How many blocks from the next one on are contiguous; at least 1.
    pub fn contiguous(&self) -> u64 {
        self.end - self.next
    }

    /// Takes `count` blocks that are contiguous: at most [`Self::contiguous`] many.
    pub fn advance(&mut self, count: u64) {
        debug_assert!(count <= self.contiguous());
        self.next += count;
        self.taken_end = self.next;
        if self.next == self.end {
            self.hop();
        }
    }

    /// Takes one block.
    pub fn take(&mut self) -> u64 {
        let block = self.next;
        self.advance(1);
        block
    }

    /// Takes `count` blocks and gives them as the extents of a file that starts with them.
    pub fn take_extents(&mut self, count: u64) -> Vec<Extent> {
        let mut extents = Vec::new();
        let mut logical = 0;
        while logical < count {
            let length = self.contiguous().min(count - logical).min(MAX_EXTENT_LENGTH);
            append(&mut extents, Extent { logical: logical as u32, physical: self.next, length: length as u32 });
            self.advance(length);
            logical += length;
        }
        extents
    }

    /// Takes `count` blocks in one piece, leaving a gap where a backup is in the way. A piece is never longer than
    /// what lies between two backups.
    pub fn take_contiguous(&mut self, count: u64) -> u64 {
        if count > self.contiguous() {
            self.hop();
        }
        let block = self.next;
        self.advance(count);
        block
    }

    /// The runs that were taken block by block since the cursor stood at `start`.
    pub fn taken_since(&self, start: &Cursor) -> Vec<Range<u64>> {
        let mut walk = start.clone();
        let mut runs = Vec::new();
        while walk.next < self.taken_end {
            let count = walk.contiguous().min(self.taken_end - walk.next);
            runs.push(walk.next..walk.next + count);
            walk.advance(count);
        }
        runs
    }

    fn hop(&mut self) {
        let group = self.end / BLOCKS_PER_GROUP;
        debug_assert!(has_super(group));
        self.next = self.end + self.span;
        self.end = backup_groups(u64::MAX).find(|backup| *backup > group).map_or(u64::MAX, |g| g * BLOCKS_PER_GROUP);
    }
}

/// Adds a run of blocks to a file's extents, and joins it to the last one where both are contiguous.
pub(crate) fn append(extents: &mut Vec<Extent>, run: Extent) {
    if let Some(last) = extents.last_mut() {
        let joined = u64::from(last.length) + u64::from(run.length);
        let follows = last.logical.checked_add(last.length) == Some(run.logical)
            && last.physical + u64::from(last.length) == run.physical;
        if follows && joined <= MAX_EXTENT_LENGTH {
            last.length = joined as u32;
            return;
        }
    }
    extents.push(run);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_hops_over_the_backups_and_breaks_at_the_longest_extent() {
        let mut cursor = Cursor::new(33);
        let extents = cursor.take_extents(32_768 * 3);
        let found: Vec<_> = extents.iter().map(|e| (e.logical, e.physical, e.length)).collect();
        assert_eq!(found[0], (0, 33, 32_735));
        assert_eq!(found[1], (32_735, 32_768 + 33, 32_768));
        assert_eq!(found[2], (65_503, 65_536 + 33, 32_735));
        assert_eq!(found[3], (98_238, 3 * 32_768 + 33, 66));
    }

    #[test]
    fn a_cursor_can_be_put_where_another_stood() {
        let mut cursor = Cursor::new(33);
        for count in [0, 1, 32_734, 5, 32_763, 32_735, 1, 70_000] {
            cursor.take_extents(count);
            let other = Cursor::at(33, cursor.taken_end()).unwrap();
            assert_eq!((other.next, other.end, other.taken_end), (cursor.next, cursor.end, cursor.taken_end));
        }
        for within_a_backup in [0, 32, 32_769, 32_768 + 32] {
            assert!(Cursor::at(33, within_a_backup).is_none(), "{within_a_backup}");
        }
    }

    #[test]
    fn a_table_is_never_cut_by_a_backup() {
        let mut cursor = Cursor::new(33);
        cursor.advance(32_768 - 33 - 100);
        assert_eq!(cursor.take_contiguous(512), 32_768 + 33);
        assert_eq!(cursor.next(), 32_768 + 33 + 512);
    }
}
