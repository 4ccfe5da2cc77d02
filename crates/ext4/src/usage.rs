//! Which blocks are in use: one ascending list of runs, from which bitmaps, counts and the holes to punch follow.

use std::ops::Range;

use crate::error::Error;

/// Runs of blocks in use, ascending, disjoint, and joined where they touch.
pub(crate) struct Usage {
    runs: Vec<Range<u64>>,
}

impl Usage {
    /// The runs in any order. Two that overlap are an error: a block has one owner.
    pub fn new(mut runs: Vec<Range<u64>>) -> Result<Self, Error> {
        runs.sort_unstable_by_key(|run| run.start);
        let mut joined: Vec<Range<u64>> = Vec::new();
        for run in runs {
            match joined.last_mut() {
                Some(last) if run.start < last.end => return Err(Error::ForeignContent { block: run.start }),
                Some(last) if run.start == last.end => last.end = run.end,
                _ => joined.push(run),
            }
        }
        Ok(Self { runs: joined })
    }

    /// The parts of the runs that are within `range`.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + Clone + '_ {
        let first = self.runs.partition_point(|run| run.end <= range.start);
        self.runs[first..]
            .iter()
            .take_while(move |run| run.start < range.end)
            .map(move |run| run.start.max(range.start)..run.end.min(range.end))
    }

    /// What is not in use within `range`.
    pub fn free_within(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut free = Vec::new();
        let mut start = range.start;
        for run in self.within(range.clone()) {
            if start < run.start {
                free.push(start..run.start);
            }
            start = run.end;
        }
        if start < range.end {
            free.push(start..range.end);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_use_is_free() {
        let usage = Usage::new(vec![20..30, 5..10, 10..12]).unwrap();
        assert_eq!(usage.within(6..25).collect::<Vec<_>>(), [6..12, 20..25]);
        assert_eq!(usage.free_within(0..40), [0..5, 12..20, 30..40]);
        assert_eq!(usage.free_within(6..9), []);
    }

    #[test]
    fn a_block_with_two_owners_is_refused() {
        assert!(matches!(Usage::new(vec![5..10, 9..12]), Err(Error::ForeignContent { block: 9 })));
    }
}
