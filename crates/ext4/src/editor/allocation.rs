//! Free blocks for new content: in one piece where there is one, else in the fewest pieces that were found.
//!
//! Groups are looked at from the old content's on, and only until there is enough. So a change takes no longer in a large
//! file system than in a small one, as long as it is not full.

use std::ops::Range;

use crate::bitmap::free_runs;
use crate::content::{Extent, MAX_EXTENT_LENGTH};
use crate::cursor;
use crate::extent;

use super::{EditError, Editor};

/// As many groups with free blocks as are looked at for one piece.
const ENOUGH_GROUPS: usize = 16;

/// Blocks for the content of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allocation {
    pub extents: Vec<Extent>,
    /// Blocks for its extent tree outside the inode.
    pub nodes: Vec<u64>,
}

impl Allocation {
    /// All its runs.
    pub fn runs(&self) -> impl Iterator<Item = Range<u64>> {
        let extents = self.extents.iter().map(|extent| extent.physical..extent.physical + u64::from(extent.length));
        extents.chain(self.nodes.iter().map(|node| *node..*node + 1))
    }
}

impl Editor<'_> {
    /// Finds `blocks` free blocks, beginning in the group `goal`.
    pub(crate) fn allocate(&self, blocks: u64, goal: u64) -> Result<Allocation, EditError> {
        let free = self.free_blocks();
        if blocks == 0 || blocks > free {
            return if blocks == 0 { Ok(Allocation::default()) } else { Err(no_room(blocks, free)) };
        }
        let mut found: Vec<Range<u64>> = Vec::new();
        let (mut total, mut groups, mut is_whole) = (0, 0, false);
        for group in (goal..self.geometry.group_count).chain(0..goal) {
            if self.descriptors[group as usize].free_blocks == 0 {
                continue;
            }
            groups += 1;
            for run in free_runs(&*self.block_bitmap(group)?, self.geometry.group_blocks(group)) {
                total += run.end - run.start;
                match found.last_mut() {
                    Some(last) if last.end == run.start => last.end = run.end,
                    _ => found.push(run),
                }
                is_whole |= found.last().is_some_and(|run| run.end - run.start >= blocks);
            }
            let is_enough = is_whole || total >= blocks && groups >= ENOUGH_GROUPS;
            if is_enough && let Some(allocation) = choose(&found, blocks) {
                return Ok(allocation);
            }
        }
        choose(&found, blocks).ok_or_else(|| no_room(blocks + nodes_at_least(&found, blocks), free))
    }
}

/// Blocks that the extent tree of so much content needs at least, made of these runs.
fn nodes_at_least(found: &[Range<u64>], blocks: u64) -> u64 {
    extent::node_count(take(found, blocks).0.len()).max(1)
}

fn no_room(needed: u64, free: u64) -> EditError {
    EditError::NoRoom { needed, free }
}

/// The content's and the tree's blocks out of these runs; `None` when they do not do.
fn choose(found: &[Range<u64>], blocks: u64) -> Option<Allocation> {
    let (extents, rest) = take(found, blocks);
    if extents.iter().map(|extent| u64::from(extent.length)).sum::<u64>() < blocks {
        return None;
    }
    let needed = extent::node_count(extents.len());
    let nodes: Vec<u64> = rest.into_iter().flatten().take(usize::try_from(needed).ok()?).collect();
    (nodes.len() as u64 == needed).then_some(Allocation { extents, nodes })
}

/// The extents of `blocks` blocks, and what is left of the runs: the first run that is long enough, or else the longest.
fn take(found: &[Range<u64>], blocks: u64) -> (Vec<Extent>, Vec<Range<u64>>) {
    let length = |run: &Range<u64>| run.end - run.start;
    let mut runs = found.to_vec();
    // A stable sort: of equal ones, the nearest to the goal.
    runs.sort_by_key(|run| std::cmp::Reverse(length(run).min(blocks)));
    let mut missing = blocks;
    let mut taken = Vec::new();
    let mut rest = Vec::new();
    for run in runs {
        let split = run.start + missing.min(length(&run));
        missing -= split - run.start;
        if run.start < split {
            taken.push(run.start..split);
        }
        if split < run.end {
            rest.push(split..run.end);
        }
    }
    taken.sort_by_key(|run| run.start);
    (extents(&taken), rest)
}

/// Runs as the extents of a file that consists of them.
fn extents(runs: &[Range<u64>]) -> Vec<Extent> {
    let mut extents = Vec::new();
    let mut logical = 0;
    for run in runs {
        let mut physical = run.start;
        while physical < run.end {
            let length = (run.end - physical).min(MAX_EXTENT_LENGTH) as u32;
            cursor::append(&mut extents, Extent { logical, physical, length });
            logical += length;
            physical += u64::from(length);
        }
    }
    extents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(found: &[Range<u64>], blocks: u64) -> Vec<(u64, u32)> {
        choose(found, blocks).unwrap().extents.iter().map(|extent| (extent.physical, extent.length)).collect()
    }

    #[test]
    fn the_first_run_that_is_long_enough_is_taken() {
        assert_eq!(lengths(&[10..12, 20..30, 40..90], 5), [(20, 5)]);
        assert_eq!(lengths(&[10..12, 20..30, 40..90], 11), [(40, 11)]);
    }

    #[test]
    fn else_the_longest_are_taken_in_the_order_of_the_disk() {
        assert_eq!(lengths(&[10..12, 20..30, 40..55, 60..61], 26), [(10, 1), (20, 10), (40, 15)]);
        assert_eq!(choose(&[10..12, 20..30], 13), None);
    }

    #[test]
    fn blocks_of_the_tree_come_from_what_is_left() {
        let single: Vec<Range<u64>> = (0..10).map(|i| 2 * i + 1..2 * i + 2).collect();
        let allocation = choose(&single, 9).unwrap();
        assert_eq!((allocation.extents.len(), allocation.nodes), (9, vec![19]));
        assert_eq!(choose(&single, 10), None, "the content fits, its tree does not");
    }

    #[test]
    fn a_run_longer_than_an_extent_takes_several() {
        assert_eq!(
            lengths(&[100..100_000, 200_000..200_001], 70_000),
            [(100, 32_768), (32_868, 32_768), (65_636, 4464)]
        );
    }
}
