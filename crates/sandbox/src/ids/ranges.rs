//! Ranges of ids: which of them a namespace gets, and which of its own ids stand for them.
//!
//! The kernel takes an extent of a map only if one extent of the parent's map has all of it, and newuidmap only if one line of
//! `/etc/subuid` has. So ranges are cut where either ends, and never joined again.

use serde::{Deserialize, Serialize};

/// The user and group `nobody`, in the tree as everywhere.
pub const NOBODY: u32 = 65534;

/// The most extents of a map. The kernel takes 340 (`UID_GID_MAP_MAX_EXTENTS`), and less than a page of text, which is 120
/// lines of three numbers.
const MAX_EXTENTS: usize = 120;

/// Consecutive ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The lowest.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl Range {
    /// The ids from `first` on, before `end`.
    pub const fn new(first: u32, end: u32) -> Self {
        Self { first, count: end - first }
    }

    /// Whether it has this id.
    pub fn contains(&self, id: u32) -> bool {
        (u64::from(self.first)..self.end()).contains(&id.into())
    }

    fn end(&self) -> u64 {
        u64::from(self.first) + u64::from(self.count)
    }

    /// The ids that both have.
    fn common(&self, other: &Self) -> Option<Self> {
        let (first, end) = (self.first.max(other.first), self.end().min(other.end()));
        let count = u32::try_from(end.checked_sub(first.into())?).ok()?;
        (count > 0).then_some(Self { first, count })
    }

    /// What is left without the other: a part below it, and one above.
    fn without(&self, other: &Self) -> Vec<Self> {
        let Some(common) = self.common(other) else { return vec![*self] };
        let below = Self { first: self.first, count: common.first - self.first };
        let above = u32::try_from(common.end()).map(|first| Self { first, count: (self.end() - common.end()) as u32 });
        [Some(below), above.ok()].into_iter().flatten().filter(|range| range.count > 0).collect()
    }
}

/// Consecutive ids of a namespace, and what they are in the namespace around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// In the namespace.
    pub inside: u32,
    /// Around it.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// Who has ids that can stand for the tree's, the best first.
///
/// Nobody wants to give root's own, those of services, and the caller's `nobody`, who has files where others have left some.
/// Where all ids below 65536 can be done without, they may belong to somebody too.
const WINDOWS: [(&[Range], u64); 3] = [
    (&[Range::new(0x1_0000, u32::MAX)], 0x1_0000),
    (&[Range::new(1000, NOBODY), Range::new(NOBODY + 1, u32::MAX)], 2),
    (&[Range::new(1, NOBODY), Range::new(NOBODY + 1, u32::MAX)], 2),
];

/// The ids of a namespace, by its map (`/proc/PID/uid_map`): one range a line.
pub fn of_map(map: &str) -> Vec<Range> {
    let range = |line: &str| {
        let fields: Vec<u32> = line.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
        match fields[..] {
            [first, _, count] => Some(Range { first, count }),
            _ => None,
        }
    };
    map.lines().filter_map(range).collect()
}

/// What the ranges and the others both have, in the order of the ranges, each id once.
pub fn common(ranges: &[Range], others: &[Range]) -> Vec<Range> {
    let mut found: Vec<Range> = Vec::new();
    for part in ranges.iter().flat_map(|range| others.iter().filter_map(|other| range.common(other))) {
        let mut fresh = vec![part];
        for taken in &found {
            fresh = fresh.iter().flat_map(|part| part.without(taken)).collect();
        }
        found.append(&mut fresh);
    }
    found
}

/// How many ids they are.
pub fn total(ranges: &[Range]) -> u64 {
    ranges.iter().map(|range| u64::from(range.count)).sum()
}

/// Those of the ranges that fewest need; none if there are not two, for root and for `nobody`.
pub fn spare(ranges: &[Range]) -> Vec<Range> {
    let of_window =
        |(window, least): &(&[Range], u64)| Some(common(ranges, window)).filter(|found| total(found) >= *least);
    WINDOWS.iter().find_map(of_window).unwrap_or_default()
}

/// Numbers the ids from 0 on, in the order of the ranges. `nobody` is always among them: where they do not reach so far, it
/// is the last.
pub fn number(mut ranges: Vec<Range>) -> Vec<Extent> {
    ranges.truncate(MAX_EXTENTS - 1);
    let mut nobody = None;
    if total(&ranges) <= u64::from(NOBODY)
        && let Some(last) = ranges.last_mut()
    {
        last.count -= 1;
        nobody = Some(Extent { inside: NOBODY, outside: last.first + last.count, count: 1 });
    }
    let mut inside = 0;
    let numbered = ranges.into_iter().filter(|range| range.count > 0).map(|Range { first, count }| {
        let extent = Extent { inside, outside: first, count };
        inside += count;
        extent
    });
    let mut extents: Vec<_> = numbered.collect();
    extents.extend(nobody);
    extents
}

/// A map as the kernel takes it: in each line the first id inside, the first outside, and how many.
pub fn lines(extents: &[Extent]) -> String {
    extents.iter().map(|Extent { inside, outside, count }| format!("{inside} {outside} {count}\n")).collect()
}

/// The ids that a namespace has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside(Vec<Range>);

impl Inside {
    /// By the map that the namespace has.
    pub fn of(extents: &[Extent]) -> Self {
        Self(extents.iter().map(|Extent { inside, count, .. }| Range { first: *inside, count: *count }).collect())
    }

    /// Whether this is one.
    pub fn contains(&self, id: u32) -> bool {
        self.0.iter().any(|range| range.contains(id))
    }

    /// The map of a namespace in it, whose ids are the same.
    pub fn same(&self) -> String {
        let extents: Vec<_> = self
            .0
            .iter()
            .map(|Range { first, count }| Extent { inside: *first, outside: *first, count: *count })
            .collect();
        lines(&extents)
    }
}

impl std::fmt::Display for Inside {
    /// `0 to 9998 and 65534`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for range in &self.0 {
            match joined.last_mut() {
                Some((_, end)) if *end == u64::from(range.first) => *end = range.end(),
                _ => joined.push((range.first.into(), range.end())),
            }
        }
        for (number, (first, end)) in joined.iter().enumerate() {
            f.write_str(if number > 0 { " and " } else { "" })?;
            match end - first {
                1 => write!(f, "{first}")?,
                _ => write!(f, "{first} to {}", end - 1)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u32, count: u32) -> Range {
        Range { first, count }
    }

    #[test]
    fn no_extent_spans_two_of_the_parents_or_two_lines() {
        let parent = of_map("         0       1000          1\n 1 100000 65536\n 65537 300000 1000\nnonsense\n");
        assert_eq!(parent, [range(0, 1), range(1, 65536), range(65537, 1000)]);
        // One line over two of the parent's extents, one that adjoins, one that crosses, one twice, and one that is not there.
        let lines = [range(60000, 6000), range(66000, 100), range(65990, 50), range(60000, 6000), range(90000, 5)];
        assert_eq!(common(&lines, &parent), [range(60000, 5537), range(65537, 463), range(66000, 100)]);
        // Out of order stays out of order.
        assert_eq!(common(&[range(500, 10), range(100, 10)], &[range(0, 1000)]), [range(500, 10), range(100, 10)]);
        // What is in the middle of what is taken already is left out; what is around it is not.
        assert_eq!(
            common(&[range(50, 10), range(40, 30)], &[range(0, 1000)]),
            [range(50, 10), range(40, 10), range(60, 10)]
        );
    }

    #[test]
    fn nobody_who_needs_an_id_gives_it() {
        // The usual container without root: neither root, nor services, nor nobody.
        let usual = spare(&[range(0, 1), range(1, 65536)]);
        assert_eq!(usual, [range(1000, NOBODY - 1000), range(65535, 2)]);
        // A large one has ids that no user of it has.
        assert_eq!(spare(&[range(0, 1_000_000)]), [range(65536, 1_000_000 - 65536)]);
        // A small one has nothing else; but never root's.
        assert_eq!(spare(&[range(0, 500)]), [range(1, 499)]);
        assert_eq!(spare(&[range(0, 1)]), []);
        assert_eq!(spare(&[range(0, 2)]), []);
        assert_eq!(spare(&[range(0, u32::MAX)]), [range(65536, u32::MAX - 65536)]);
    }

    #[test]
    fn nobody_is_always_there() {
        let map = |ranges: &[Range]| lines(&number(ranges.to_vec()));
        assert_eq!(map(&[range(100_000, 65536)]), "0 100000 65536\n");
        assert_eq!(map(&[range(100_000, 65534)]), "0 100000 65533\n65534 165533 1\n");
        assert_eq!(map(&[range(100_000, 10), range(300_000, 1)]), "0 100000 10\n65534 300000 1\n");
        assert_eq!(map(&[range(100_000, 2)]), "0 100000 1\n65534 100001 1\n");
        assert_eq!(map(&[]), "");
        let many = number((0..1000).map(|at| range(100_000 + at * 100, 50)).collect());
        assert!(many.len() <= MAX_EXTENTS && lines(&many).len() < 4096 && many.last().unwrap().inside == NOBODY);
        let inside = Inside::of(&number(vec![range(100_000, 10), range(300_000, 5)]));
        assert_eq!(
            (inside.to_string(), inside.same()),
            ("0 to 13 and 65534".into(), "0 0 10\n10 10 4\n65534 65534 1\n".into())
        );
        assert!(inside.contains(13) && !inside.contains(14) && inside.contains(NOBODY));
    }
}
