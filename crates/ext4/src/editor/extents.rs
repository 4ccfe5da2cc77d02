//! The extent tree of an inode, of any depth, from the root down.

use crate::extent::{self, MappedExtent, Records};
use crate::inode::{EXTENTS_FL, RawInode};
use crate::usage::Usage;

use super::{EditError, Editor};

/// An inode's blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The runs of its content, ascending within the file and disjoint there.
    pub extents: Vec<MappedExtent>,
    /// The blocks of its tree outside the inode.
    pub nodes: Vec<u64>,
}

impl Mapping {
    /// All runs of blocks on the disk; `None` when two of them overlap.
    pub fn runs(&self) -> Option<Usage> {
        let extents = self.extents.iter().map(|mapped| mapped.extent);
        let extents = extents.map(|extent| extent.physical..extent.physical + u64::from(extent.length));
        Usage::new(extents.chain(self.nodes.iter().map(|node| *node..*node + 1)).collect()).ok()
    }
}

impl Editor<'_> {
    /// Walks the tree of an inode.
    pub(crate) fn mapping(&self, number: u32, inode: &RawInode) -> Result<Mapping, EditError> {
        if inode.flags & EXTENTS_FL == 0 {
            return Err(EditError::damaged(format!("inode {number} has no extent tree")));
        }
        let damaged = || EditError::damaged(format!("the extent tree of inode {number} is wrong"));
        let (records, depth) = extent::decode_root(&inode.block).ok_or_else(damaged)?;
        let seed = self.seed.inode(number, inode.generation);
        let mut mapping = Mapping::default();
        // The next block within the file that may be described. As every node must bring it forward, no node is walked
        // twice, however the index leads.
        let mut next = 0;
        let mut levels = vec![(records, depth)];
        while let Some((records, depth)) = levels.pop() {
            let entries = match records {
                Records::Extents(extents) => {
                    for mapped in extents {
                        next = self.check_extent(&mapped, next).ok_or_else(damaged)?;
                        mapping.extents.push(mapped);
                    }
                    continue;
                }
                Records::Below(entries) => entries,
            };
            let Some((first, rest)) = entries.split_first() else { continue };
            if u64::from(first.logical) < next {
                return Err(damaged());
            }
            levels.push((Records::Below(rest.to_vec()), depth));
            let block = self.block(first.block)?;
            let (below, depth_below) = extent::decode_node(&block, seed).ok_or_else(damaged)?;
            if below.is_empty() || depth_below + 1 != depth || below.first_logical() < Some(first.logical) {
                return Err(damaged());
            }
            mapping.nodes.push(first.block);
            levels.push((below, depth_below));
        }
        match mapping.runs() {
            Some(_) => Ok(mapping),
            None => Err(damaged()),
        }
    }

    /// The block within the file behind a run that begins at `next` or later; `None` when it is out of bounds.
    fn check_extent(&self, mapped: &MappedExtent, next: u64) -> Option<u64> {
        let extent = &mapped.extent;
        let end = extent.physical.checked_add(extent.length.into())?;
        let logical_end = extent.logical.checked_add(extent.length)?;
        let in_order = u64::from(extent.logical) >= next;
        (in_order && extent.physical > 0 && end <= self.geometry.block_count).then_some(logical_end.into())
    }
}
