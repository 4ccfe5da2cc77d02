//! What growth writes, block by block.
//!
//! Nothing is written here: the blocks are collected, those within the old file system and those behind its end, so that
//! the caller can choose their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::groups::{initial_bitmap, new_group};
use super::superblock::grown_superblock;
use crate::BLOCK_SIZE;
use crate::bitmap::{self, Bitmap};
use crate::csum;
use crate::editor::{Block, EditError, Editor};
use crate::geometry::{BLOCKS_PER_GROUP, DESCRIPTORS_PER_BLOCK, Geometry};
use crate::group_descriptor::{self, GroupDescriptor};
use crate::inode::{I_BLOCK_SIZE, INODE_SIZE};
use crate::numbering;
use crate::resize_inode;
use crate::superblock::{self, Superblock, compat};

/// Blocks and what they shall hold. Copies share their contents.
pub(crate) type Writes = BTreeMap<u64, Arc<Block>>;

/// What growth writes.
pub(crate) struct Plan {
    /// The superblock as it will be.
    pub superblock: Superblock,
    /// Within the old file system, the primary superblock left out.
    pub inside: Writes,
    /// Behind its end, where nothing refers to it yet.
    pub outside: Writes,
}

/// Plans the growth to a geometry with more blocks than the file system has.
pub(crate) fn plan(existing: &Editor, new: &Geometry) -> Result<Plan, EditError> {
    let resize = check_resize_inode(existing)?;
    existing.check_fronts(resize, existing.log()?.as_ref())?;
    let descriptors = existing.descriptors.clone();
    let (changed, writes) = (BTreeSet::new(), Writes::new());
    let mut growth = Growth { existing, new, descriptors, changed, writes, gained: 0 };
    if let Some(double_indirect) = resize {
        growth.follow_with_resize_inode(double_indirect)?;
    }
    growth.grow_last_group()?;
    growth.add_groups();
    growth.place_descriptors();
    let superblock = grown_superblock(existing, new, growth.gained)?;
    growth.place_backups(&superblock);
    let mut inside = growth.writes;
    let outside = inside.split_off(&existing.geometry.block_count);
    Ok(Plan { superblock, inside, outside })
}

/// The resize inode's block, which lists the very reserve that the superblock counts (`verify_reserved_gdb`); `None` where
/// the file system has no such inode.
fn check_resize_inode(existing: &Editor) -> Result<Option<u64>, EditError> {
    if existing.superblock.compat & compat::RESIZE_INODE == 0 {
        return Ok(None);
    }
    let double_indirect = resize_inode::double_indirect(&existing.inode(numbering::RESIZE)?.block);
    if double_indirect == 0 || double_indirect >= existing.geometry.block_count {
        return Err(EditError::damaged("the resize inode has no block"));
    }
    if *existing.block(double_indirect)? != resize_inode::double_indirect_block(&existing.geometry) {
        return Err(EditError::damaged("the resize inode does not list the reserved descriptor blocks"));
    }
    Ok(Some(double_indirect))
}

struct Growth<'a> {
    existing: &'a Editor<'a>,
    new: &'a Geometry,
    /// All groups' descriptors as they will be.
    descriptors: Vec<GroupDescriptor>,
    /// Blocks of descriptors that change, or are new.
    changed: BTreeSet<u64>,
    writes: Writes,
    /// Blocks that are free now and were not.
    gained: u64,
}

impl Growth<'_> {
    /// The resize inode lists what is left of the reserve, with its copies in the new backups. Where nothing is left
    /// that could grow without `meta_bg`, it gives up its block (`ext4_convert_meta_bg`).
    fn follow_with_resize_inode(&mut self, double_indirect: u64) -> Result<(), EditError> {
        let mut inode = self.existing.inode(numbering::RESIZE)?;
        if self.new.first_meta_bg.is_some() {
            self.free(double_indirect)?;
            inode.block = [0; I_BLOCK_SIZE];
            inode.sectors = 0;
        } else {
            self.write(double_indirect, resize_inode::double_indirect_block(self.new));
            let lists = resize_inode::reserved_block_contents(self.new);
            self.writes.extend(lists.map(|(at, contents)| (at, Arc::new(contents))));
            inode.sectors = resize_inode::sectors(self.new);
        }
        let place = self.existing.inode_place(numbering::RESIZE)?;
        let mut block = *self.existing.block(place.block)?;
        let record = inode.encode(numbering::RESIZE, self.existing.seed);
        block[place.offset..place.offset + INODE_SIZE].copy_from_slice(&record);
        self.write(place.block, block);
        Ok(())
    }

    /// Frees a block of the old file system.
    fn free(&mut self, block: u64) -> Result<(), EditError> {
        let group = block / BLOCKS_PER_GROUP;
        let mut bitmap = self.block_bitmap(group)?;
        let bit = (block % BLOCKS_PER_GROUP) as usize;
        if !bitmap::turn(&mut bitmap, bit..bit + 1, false) {
            return Err(EditError::damaged("the resize inode's block is free"));
        }
        let mut descriptor = self.descriptors[group as usize].clone();
        descriptor.free_blocks += 1;
        self.change_blocks(group, descriptor, bitmap);
        self.gained += 1;
        Ok(())
    }

    /// The old last group gains the blocks whose bits were padding.
    fn grow_last_group(&mut self) -> Result<(), EditError> {
        let last = self.existing.geometry.group_count - 1;
        let (before, after) = (self.existing.geometry.blocks_in_group(last), self.new.blocks_in_group(last));
        let gained = after - before;
        if gained > 0 {
            let mut bitmap = self.block_bitmap(last)?;
            if !bitmap::turn(&mut bitmap, before as usize..after as usize, false) {
                return Err(EditError::damaged("the last group's block bitmap counts blocks past the end as free"));
            }
            let mut descriptor = self.descriptors[last as usize].clone();
            descriptor.free_blocks += gained as u32;
            self.change_blocks(last, descriptor, bitmap);
            self.gained += gained;
        }
        Ok(())
    }

    fn add_groups(&mut self) {
        let last = self.new.group_count - 1;
        for group in self.existing.geometry.group_count..=last {
            let descriptor = new_group(self.new, group);
            self.gained += u64::from(descriptor.free_blocks);
            self.descriptors.push(descriptor.clone());
            if group == last {
                let bitmap = initial_bitmap(self.new, group, &descriptor);
                self.change_blocks(group, descriptor, bitmap);
            }
            self.changed.insert(group / DESCRIPTORS_PER_BLOCK);
        }
    }

    /// A group's block bitmap as it will be, as far as that is known.
    fn block_bitmap(&self, group: u64) -> Result<Bitmap, EditError> {
        match self.writes.get(&self.descriptors[group as usize].block_bitmap) {
            Some(bitmap) => Ok(**bitmap),
            None => self.existing.block_bitmap(group).map(|bitmap| *bitmap),
        }
    }

    /// Writes a group's block bitmap, and its descriptor to go with it.
    fn change_blocks(&mut self, group: u64, mut descriptor: GroupDescriptor, bitmap: Bitmap) {
        descriptor.flags &= !group_descriptor::BLOCK_UNINIT;
        descriptor.block_bitmap_checksum = csum::bitmap(self.existing.seed, &bitmap);
        self.write(descriptor.block_bitmap, bitmap);
        self.descriptors[group as usize] = descriptor;
        self.changed.insert(group / DESCRIPTORS_PER_BLOCK);
    }

    /// Blocks of descriptors that change go to all their places, the others to the new backups only.
    fn place_descriptors(&mut self) {
        let old_end = self.existing.geometry.block_count;
        for index in 0..self.new.descriptor_blocks {
            let copies = self.new.descriptor_copies(index).into_iter();
            let places = std::iter::once(self.new.descriptor_block(index)).chain(copies);
            let changed = self.changed.contains(&index);
            let mut places = places.filter(|at| changed || *at >= old_end).peekable();
            if places.peek().is_some() {
                let contents = Arc::new(self.descriptor_block(index));
                self.writes.extend(places.map(|at| (at, Arc::clone(&contents))));
            }
        }
    }

    fn descriptor_block(&self, index: u64) -> Block {
        let mut block = [0; BLOCK_SIZE as usize];
        let first = (index * DESCRIPTORS_PER_BLOCK) as usize;
        let records = block.as_chunks_mut::<{ group_descriptor::SIZE }>().0;
        for ((group, descriptor), record) in self.descriptors.iter().enumerate().skip(first).zip(records) {
            *record = descriptor.encode(group as u64, self.existing.seed);
        }
        block
    }

    fn place_backups(&mut self, superblock: &Superblock) {
        for group in self.new.backup_groups() {
            let mut backup = [0; BLOCK_SIZE as usize];
            backup[..superblock::SIZE].copy_from_slice(&superblock.encode(group));
            self.write(group * BLOCKS_PER_GROUP, backup);
        }
    }

    fn write(&mut self, at: u64, contents: Block) {
        self.writes.insert(at, Arc::new(contents));
    }
}
