//! The extent tree of an inode: from the root to the extent that holds a block, at most five levels down.

use crate::content::Extent;
use crate::csum;
use crate::extent::{self, Records};
use crate::read_at::ReadAt;

use super::{Error, Inode, Reader, Run};

/// Blocks that a file can have in an extent tree: their numbers have 32 bits.
const MOST_BLOCKS: u64 = 1 << 32;

impl<S: ReadAt> Reader<S> {
    /// The run with the block `logical` of a file.
    pub(super) fn extent_run(&self, inode: &Inode, logical: u64) -> Result<Run, Error> {
        if logical >= MOST_BLOCKS {
            return Ok(Run { start: None, length: u64::MAX - logical });
        }
        let damaged = || Error::damaged(format!("the extent tree of inode {} is wrong", inode.number));
        let mut node = extent::decode_any(&inode.raw.block).ok_or_else(damaged)?;
        // The first block that this part of the tree does not describe.
        let mut end = MOST_BLOCKS;
        loop {
            let (entries, depth) = match node {
                (Records::Extents(extents), _) => {
                    let run = self.run_in_leaf(&extents, logical, end);
                    return run.ok_or_else(damaged);
                }
                (Records::Below(entries), depth) => (entries, depth),
            };
            if entries.is_empty() || !entries.is_sorted_by(|one, next| one.logical < next.logical) {
                return Err(damaged());
            }
            let behind = entries.partition_point(|entry| u64::from(entry.logical) <= logical);
            if let Some(next) = entries.get(behind) {
                end = end.min(next.logical.into());
            }
            let Some(entry) = behind.checked_sub(1).map(|index| entries[index]) else {
                return Ok(Run { start: None, length: end - logical });
            };
            node = self.extent_node(inode, entry.block)?;
            if node.1 + 1 != depth {
                return Err(damaged());
            }
        }
    }

    /// A block of the tree.
    fn extent_node(&self, inode: &Inode, number: u64) -> Result<(Records, u16), Error> {
        let damaged = || Error::damaged(format!("the extent tree of inode {} is wrong", inode.number));
        if !self.is_within(number, 1) {
            return Err(damaged());
        }
        let block = self.block(number)?;
        let (before_tail, found) = extent::split_tail(&block).ok_or_else(damaged)?;
        if self.has_checksums() && csum::extent_block(inode.seed, before_tail) != found {
            self.doubt(format!("block {number} of the extent tree of inode {}", inode.number))?;
        }
        extent::decode_any(before_tail).ok_or_else(damaged)
    }

    /// The run in a leaf that describes the blocks up to `end`; `None` when the leaf makes no sense.
    fn run_in_leaf(&self, extents: &[extent::MappedExtent], logical: u64, end: u64) -> Option<Run> {
        if !is_disjoint(extents) {
            return None;
        }
        let mut next = 0;
        let mut found = None;
        for mapped in extents {
            let extent = &mapped.extent;
            let (start, length) = (u64::from(extent.logical), u64::from(extent.length));
            if start < next || start + length > MOST_BLOCKS || !self.is_within(extent.physical, length) {
                return None;
            }
            next = start + length;
            if found.is_none() && logical < next {
                found = Some(match logical.checked_sub(start) {
                    None => Run { start: None, length: start.min(end) - logical },
                    Some(within) => {
                        let start = (!mapped.unwritten).then_some(extent.physical + within);
                        Run { start, length: next.min(end) - logical }
                    }
                });
            }
        }
        Some(found.unwrap_or(Run { start: None, length: end - logical }))
    }
}

/// Whether no block belongs to two places of the file.
fn is_disjoint(extents: &[extent::MappedExtent]) -> bool {
    let end = |extent: &Extent| extent.physical.saturating_add(extent.length.into());
    let mut places: Vec<_> = extents.iter().map(|mapped| (mapped.extent.physical, end(&mapped.extent))).collect();
    places.sort_unstable();
    places.is_sorted_by(|(_, end), (start, _)| end <= start)
}
