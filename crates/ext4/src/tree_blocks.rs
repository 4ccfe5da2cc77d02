//! The tree's own blocks behind the data: directories, long symbolic links, extended attributes, extent trees.
//!
//! They are placed twice by the same walk. The first time only counts, because the inode tables come behind and their
//! place depends on the count; the second time writes blocks and inodes together. So nothing has to be remembered for
//! each inode in between.

use std::borrow::Cow;

use crate::content::Extent;
use crate::cursor::Cursor;
use crate::directory::{self, Rules};
use crate::error::Error;
use crate::extent;
use crate::inode::fast_symlink;
use crate::numbering::{self, Numbered, Numbering};
use crate::tree::Kind;
use crate::xattr;

/// Blocks of `/lost+found`, allocated beforehand because e2fsck needs it on a full file system.
const LOST_AND_FOUND_BLOCKS: u32 = 4;

/// The blocks of one inode.
pub(crate) struct Allocation<'a> {
    /// Where its bytes are.
    pub extents: Cow<'a, [Extent]>,
    /// The blocks of its extent tree outside the inode.
    pub nodes: Vec<u64>,
    /// The block of its extended attributes.
    pub xattr_block: Option<u64>,
}

impl Allocation<'_> {
    /// All the inode's blocks, as `i_blocks` counts them but in blocks.
    pub fn blocks(&self) -> u64 {
        let content: u64 = self.extents.iter().map(|extent| u64::from(extent.length)).sum();
        content + self.nodes.len() as u64 + u64::from(self.xattr_block.is_some())
    }
}

/// Takes the blocks of an inode: first those of its content, unless the data phase placed it, then the rest.
pub(crate) fn allocate<'a>(
    kind: &'a Kind,
    directory_blocks: u32,
    has_xattr_block: bool,
    cursor: &mut Cursor,
) -> Allocation<'a> {
    let extents = match kind {
        Kind::File(content) => Cow::Borrowed(content.extents()),
        Kind::Directory(_) => Cow::Owned(cursor.take_extents(u64::from(directory_blocks))),
        Kind::Symlink(target) if fast_symlink(target).is_none() => Cow::Owned(cursor.take_extents(1)),
        _ => Cow::Borrowed(&[][..]),
    };
    let nodes = (0..extent::node_count(extents.len())).map(|_| cursor.take()).collect();
    let xattr_block = has_xattr_block.then(|| cursor.take());
    Allocation { extents, nodes, xattr_block }
}

/// The first walk: moves the cursor behind the tree's blocks, and gives the layout of each directory in its order.
pub(crate) fn count(numbering: &Numbering, rules: Rules, cursor: &mut Cursor) -> Result<Vec<directory::Layout>, Error> {
    let mut layouts = Vec::new();
    for inode in numbering.inodes() {
        let mut blocks = 0;
        if let Kind::Directory(_) = inode.inode.kind {
            let layout = lay_out(numbering, &inode, rules)?;
            blocks = layout.block_count();
            layouts.push(layout);
        }
        let xattrs = encode_xattrs(numbering, &inode)?;
        allocate(&inode.inode.kind, blocks, xattrs.block.is_some(), cursor);
    }
    Ok(layouts)
}

fn lay_out(numbering: &Numbering, directory: &Numbered, rules: Rules) -> Result<directory::Layout, Error> {
    let entries = numbering.entries(directory);
    if directory.number == numbering::LOST_AND_FOUND {
        return Ok(directory::Layout::lost_and_found(&entries, LOST_AND_FOUND_BLOCKS));
    }
    directory::Layout::plan(&entries, rules)
        .map_err(|_| Error::DirectoryTooLarge { path: numbering.path_of(directory), names: entries.len() })
}

/// The inode's extended attributes in the form of the disk.
pub(crate) fn encode_xattrs(numbering: &Numbering, inode: &Numbered) -> Result<xattr::Encoded, Error> {
    xattr::encode(&inode.inode.xattrs).map_err(|source| Error::Xattrs { path: numbering.path_of(inode), source })
}

/// The runs of blocks that regular files of the tree occupy, as the data phase placed them below `end`.
pub(crate) fn content_runs(numbering: &Numbering, end: u64) -> Result<Vec<std::ops::Range<u64>>, Error> {
    let mut runs = Vec::new();
    for inode in numbering.inodes() {
        let Kind::File(content) = &inode.inode.kind else { continue };
        for extent in content.extents() {
            let run = extent.physical..extent.physical.saturating_add(u64::from(extent.length));
            if run.end > end {
                return Err(Error::ForeignContent { block: extent.physical });
            }
            runs.push(run);
        }
    }
    Ok(runs)
}
