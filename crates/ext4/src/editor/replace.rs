//! Replaces the content of one file.
//!
//! The new content goes to free blocks, whose bytes nobody sees until the inode names them; the old content's blocks
//! become free by the same transaction, and their bytes are punched out. Name, owner, mode, links and extended attributes
//! stay. What is read and written does not depend on the file system's size, but for its descriptors.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use crate::bitmap;
use crate::content::{Extent, MAX_FILE_SIZE};
use crate::csum;
use crate::error::EscapedPath;
use crate::extent;
use crate::file_type::FileType;
use crate::geometry::{BLOCKS_PER_GROUP, DESCRIPTORS_PER_BLOCK};
use crate::group_descriptor::{self, BLOCK_UNINIT, GroupDescriptor};
use crate::inode::{DiskTime, HUGE_FILE_FL, INODE_SIZE, RawInode, SECTORS_PER_BLOCK};
use crate::superblock::Superblock;
use crate::usage::Usage;
use crate::{BLOCK_SIZE, Timestamp};

use super::allocation::Allocation;
use super::error::while_trying;
use super::foreign::foreign;
use super::transaction::{Log, Transaction};
use super::{BLOCK, EditError, Editor};

/// New content for a file, on its way. Dropped before [`commit`](Self::commit), it leaves the old one.
pub struct Replacement<'f, 's> {
    editor: &'f mut Editor<'s>,
    number: u32,
    inode: RawInode,
    /// The blocks that become free.
    old: Usage,
    new: Allocation,
    log: Option<Log>,
    size: u64,
    written: u64,
    is_committed: bool,
}

/// What a replacement did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Blocks of the old content, of 4,096 bytes each, with those of its extent tree.
    pub old_blocks: u64,
    /// Blocks of the new content, likewise.
    pub new_blocks: u64,
    /// Runs of blocks that the new content stands in.
    pub extents: usize,
    /// How many names the file has; all of them show the new content.
    pub links: u16,
    /// Blocks that are free now.
    pub free_blocks: u64,
}

impl<'s> Editor<'s> {
    /// Begins to replace the content of the regular file at `path` by `size` bytes. Symbolic links on the way are
    /// followed, one in the last place is not.
    ///
    /// # Errors
    /// When there is no such file, no room for its content, or the file system is damaged.
    pub fn replace(&mut self, path: &[u8], size: u64) -> Result<Replacement<'_, 's>, EditError> {
        let found = self.reader.lstat(path)?;
        let found = found.ok_or_else(|| EditError::NotFound { path: EscapedPath::from(path.to_vec()) })?;
        if found.file_type != FileType::Regular {
            return Err(EditError::NotAFile { path: EscapedPath::from(path.to_vec()), file_type: found.file_type });
        }
        if size > MAX_FILE_SIZE {
            return Err(EditError::TooLarge { size });
        }
        let number = found.number;
        let inode = self.inode(number)?;
        let mapping = self.mapping(number, &inode)?;
        let log = self.log()?;
        let goal = mapping.extents.first().map_or(0, |mapped| mapped.extent.physical / BLOCKS_PER_GROUP);
        let new = self.allocate(size.div_ceil(BLOCK_SIZE), goal)?;
        let old = mapping.runs().ok_or_else(foreign)?;
        let both = Usage::new(new.runs().chain(old.within(0..u64::MAX)).collect()).map_err(|_| foreign())?;
        self.check_foreign(&both, log.as_ref())?;
        Ok(Replacement { editor: self, number, inode, old, new, log, size, written: 0, is_committed: false })
    }
}

fn length(runs: impl Iterator<Item = Range<u64>>) -> u64 {
    runs.map(|run| run.end - run.start).sum()
}

impl Replacement<'_, '_> {
    /// Gives the file an owner, a group and permissions, in the same step as the content.
    pub fn set_owner(&mut self, uid: u32, gid: u32, permissions: u16) {
        const PERMISSIONS: u16 = 0o7777;
        (self.inode.uid, self.inode.gid) = (uid, gid);
        self.inode.mode = self.inode.mode & !PERMISSIONS | permissions & PERMISSIONS;
    }

    /// Appends bytes of the new content.
    ///
    /// # Errors
    /// When there are more than was said, or the host cannot write.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), EditError> {
        let end = self.written.saturating_add(bytes.len() as u64);
        if end > self.size {
            return Err(EditError::LengthChanged { expected: self.size });
        }
        self.put(bytes)?;
        self.written = end;
        Ok(())
    }

    /// Writes bytes where those behind `written` belong.
    fn put(&self, mut bytes: &[u8]) -> Result<(), EditError> {
        let mut at = self.written;
        let first = self.new.extents.partition_point(|extent| extent_end(extent) <= at);
        for extent in &self.new.extents[first..] {
            let (now, later) = bytes.split_at(bytes.len().min((extent_end(extent) - at) as usize));
            let offset = extent.physical * BLOCK_SIZE + (at - u64::from(extent.logical) * BLOCK_SIZE);
            self.editor.storage.write_at(now, offset).map_err(while_trying("write to"))?;
            at += now.len() as u64;
            bytes = later;
            if bytes.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Makes the new content the file's. Its times become `time`; without one they stay.
    ///
    /// # Errors
    /// When there are fewer bytes than was said, the file system is damaged, or the host cannot write. The old content
    /// stays then, but for [`EditError::Unfinished`].
    pub fn commit(mut self, time: Option<Timestamp>) -> Result<Replaced, EditError> {
        if self.written != self.size {
            return Err(EditError::LengthChanged { expected: self.size });
        }
        const ZEROS: [u8; BLOCK] = [0; BLOCK];
        let tail = self.size.next_multiple_of(BLOCK_SIZE) - self.size;
        self.put(&ZEROS[..tail as usize])?;

        let mut transaction = Transaction::default();
        let old: Vec<Range<u64>> = self.old.within(0..u64::MAX).collect();
        let (old_blocks, new_blocks) = (length(old.iter().cloned()), length(self.new.runs()));
        let descriptors = self.change_bitmaps(&mut transaction, &old)?;
        self.change_inode(&mut transaction, time, new_blocks)?;
        let free_blocks = self.editor.free_blocks() + old_blocks - new_blocks;
        let log = self.log.take();
        let after = Superblock { free_blocks, ..self.editor.superblock.clone() };
        let prepared = self.editor.prepare(transaction, log, after)?;
        self.is_committed = true;
        self.editor.carry_out(prepared, &old)?;
        for (group, descriptor) in descriptors {
            self.editor.descriptors[group as usize] = descriptor;
        }
        let (extents, links) = (self.new.extents.len(), self.inode.links);
        Ok(Replaced { old_blocks, new_blocks, extents, links, free_blocks })
    }

    /// The bitmaps in which the new blocks are in use and the old ones free, and the descriptors of their groups.
    fn change_bitmaps(
        &self,
        transaction: &mut Transaction,
        old: &[Range<u64>],
    ) -> Result<BTreeMap<u64, GroupDescriptor>, EditError> {
        let editor = &*self.editor;
        let mut bitmaps = BTreeMap::new();
        let turned = self.new.runs().map(|run| (run, true)).chain(old.iter().cloned().map(|run| (run, false)));
        for (run, used) in turned {
            for (group, bits) in by_group(run) {
                let bitmap = match bitmaps.entry(group) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => entry.insert(editor.block_bitmap(group)?),
                };
                if !bitmap::turn(bitmap, bits, used) {
                    return Err(EditError::damaged(format!("the block bitmap of group {group} is wrong")));
                }
            }
        }
        let mut descriptors = BTreeMap::new();
        for (group, bitmap) in bitmaps {
            let mut descriptor = editor.descriptors[group as usize].clone();
            let free = bitmap::free_runs(&bitmap, editor.geometry.group_blocks(group));
            descriptor.free_blocks = length(free.into_iter()) as u32;
            descriptor.flags &= !BLOCK_UNINIT;
            descriptor.block_bitmap_checksum = csum::bitmap(editor.seed, &bitmap[..]);
            transaction.set(descriptor.block_bitmap, bitmap);
            let (index, place) = (group / DESCRIPTORS_PER_BLOCK, group % DESCRIPTORS_PER_BLOCK);
            let block = transaction.block(editor, editor.geometry.descriptor_block(index))?;
            let offset = place as usize * group_descriptor::SIZE;
            block[offset..][..group_descriptor::SIZE].copy_from_slice(&descriptor.encode(group, editor.seed));
            descriptors.insert(group, descriptor);
        }
        Ok(descriptors)
    }

    /// The inode that names the new blocks. Those of its extent tree are new too, so they are written at once.
    fn change_inode(
        &mut self,
        transaction: &mut Transaction,
        time: Option<Timestamp>,
        new_blocks: u64,
    ) -> Result<(), EditError> {
        let editor = &*self.editor;
        let seed = editor.seed.inode(self.number, self.inode.generation);
        let tree = extent::encode(&self.new.extents, &self.new.nodes, seed);
        for (at, node) in self.new.nodes.iter().zip(&tree.nodes) {
            editor.storage.write_at(node, at * BLOCK_SIZE).map_err(while_trying("write to"))?;
        }
        let inode = &mut self.inode;
        inode.size = self.size;
        inode.block = tree.root;
        inode.flags &= !HUGE_FILE_FL;
        inode.sectors = (new_blocks + u64::from(inode.file_acl != 0)) * SECTORS_PER_BLOCK;
        if let Some(time) = time.map(DiskTime::from) {
            (inode.access_time, inode.change_time, inode.modification_time) = (time, time, time);
        }
        let place = editor.inode_place(self.number)?;
        let block = transaction.block(editor, place.block)?;
        block[place.offset..][..INODE_SIZE].copy_from_slice(&inode.encode(self.number, editor.seed));
        Ok(())
    }
}

impl Drop for Replacement<'_, '_> {
    /// What was written for nothing goes, as far as the host lets it.
    fn drop(&mut self) {
        if !self.is_committed {
            self.new.runs().for_each(|run| _ = self.editor.punch(&run));
        }
    }
}

/// The block within the file behind an extent's last byte, in bytes.
fn extent_end(extent: &Extent) -> u64 {
    (u64::from(extent.logical) + u64::from(extent.length)) * BLOCK_SIZE
}

/// A run of blocks as bits in the bitmaps of its groups.
fn by_group(run: Range<u64>) -> impl Iterator<Item = (u64, Range<usize>)> {
    let groups = run.start / BLOCKS_PER_GROUP..run.end.div_ceil(BLOCKS_PER_GROUP);
    groups.map(move |group| {
        let start = group * BLOCKS_PER_GROUP;
        let within = |block: u64| (block.clamp(start, start + BLOCKS_PER_GROUP) - start) as usize;
        (group, within(run.start)..within(run.end))
    })
}
