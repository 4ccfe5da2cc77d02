//! Bitmaps and descriptors of all groups, the resize inode's blocks, and the superblock with its backups.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::BLOCK_SIZE;
use crate::bitmap::{block_bitmap, inode_bitmap};
use crate::csum::{self, Seed};
use crate::disk::Stream;
use crate::error::{Error, while_trying};
use crate::geometry::BLOCKS_PER_GROUP;
use crate::group_descriptor::{self, BLOCK_UNINIT, GroupDescriptor, INODE_UNINIT, INODE_ZEROED};
use crate::inode_table::journal_tree;
use crate::new_superblock::{JournalCopy, NewSuperblock};
use crate::options::Options;
use crate::resize_inode;
use crate::sizing::Plan;
use crate::superblock;
use crate::usage::Usage;

/// What is left free.
#[derive(Clone, Copy, Default)]
pub(crate) struct Free {
    pub blocks: u64,
    pub inodes: u32,
}

/// Writes what describes the groups.
pub(crate) struct GroupMetadata<'a> {
    pub file: &'a File,
    pub plan: &'a Plan,
    pub options: &'a Options,
    pub usage: &'a Usage,
    /// The highest inode number in use; all below are in use or reserved.
    pub last_inode: u32,
    /// Directories in each group, as far as groups have any.
    pub directories: &'a [u32],
    /// Whether a directory needs the feature `large_dir`.
    pub large_dir: bool,
}

impl GroupMetadata<'_> {
    /// Writes everything; the primary superblock comes last and commits the file system.
    pub fn write(&self) -> Result<Free, Error> {
        let (descriptors, free) = self.write_bitmaps()?;
        self.write_resize_blocks()?;
        self.write_supers(&descriptors, free)?;
        Ok(free)
    }

    /// Writes the bitmaps that are needed, and gives all descriptors as the disk has them.
    fn write_bitmaps(&self) -> Result<(Vec<u8>, Free), Error> {
        let mut block_bitmaps = Stream::new(self.file);
        let mut inode_bitmaps = Stream::new(self.file);
        let seed = Seed::new(&self.options.uuid);
        let mut descriptors = Vec::with_capacity(self.plan.groups.len() * group_descriptor::SIZE);
        let mut free = Free::default();
        for (group, places) in (0..).zip(&self.plan.groups) {
            let mut descriptor = GroupDescriptor {
                block_bitmap: places.block_bitmap,
                inode_bitmap: places.inode_bitmap,
                inode_table: places.inode_table,
                flags: INODE_ZEROED,
                ..GroupDescriptor::default()
            };
            self.describe_blocks(group, seed, &mut descriptor, &mut block_bitmaps)?;
            self.describe_inodes(group, seed, &mut descriptor, &mut inode_bitmaps)?;
            free.blocks += u64::from(descriptor.free_blocks);
            free.inodes += descriptor.free_inodes;
            descriptors.extend_from_slice(&descriptor.encode(group, seed));
        }
        block_bitmaps.flush()?;
        inode_bitmaps.flush()?;
        Ok((descriptors, free))
    }

    /// A group that holds nothing but a backup needs no block bitmap: the kernel makes it. Not so the first and the
    /// last group, nor one with metadata of others, which the kernel would overlook.
    fn describe_blocks(
        &self,
        group: u64,
        seed: Seed,
        descriptor: &mut GroupDescriptor,
        bitmaps: &mut Stream,
    ) -> Result<(), Error> {
        let geometry = &self.plan.geometry;
        let blocks = geometry.group_blocks(group);
        let used = self.usage.within(blocks.clone());
        let used_blocks: u64 = used.clone().map(|run| run.end - run.start).sum();
        descriptor.free_blocks = (blocks.end - blocks.start - used_blocks) as u32;
        let is_first_or_last = group == 0 || group == geometry.group_count - 1;
        if !is_first_or_last && used_blocks == geometry.super_blocks_in_group(group) {
            descriptor.flags |= BLOCK_UNINIT;
            return Ok(());
        }
        let bitmap = block_bitmap(blocks, used);
        descriptor.block_bitmap_checksum = csum::bitmap(seed, &bitmap);
        bitmaps.write_block(descriptor.block_bitmap, &bitmap)
    }

    fn describe_inodes(
        &self,
        group: u64,
        seed: Seed,
        descriptor: &mut GroupDescriptor,
        bitmaps: &mut Stream,
    ) -> Result<(), Error> {
        let inodes_per_group = self.plan.geometry.inodes_per_group;
        let before = group * u64::from(inodes_per_group);
        let used = u64::from(self.last_inode).saturating_sub(before).min(u64::from(inodes_per_group)) as u32;
        descriptor.free_inodes = inodes_per_group - used;
        descriptor.unused_inodes = inodes_per_group - used;
        if used == 0 {
            descriptor.flags |= INODE_UNINIT;
            return Ok(());
        }
        descriptor.used_directories = self.directories.get(group as usize).copied().unwrap_or(0);
        let bitmap = inode_bitmap(used, inodes_per_group);
        descriptor.inode_bitmap_checksum = csum::bitmap(seed, &bitmap[..inodes_per_group as usize / 8]);
        bitmaps.write_block(descriptor.inode_bitmap, &bitmap)
    }

    fn write_resize_blocks(&self) -> Result<(), Error> {
        let geometry = &self.plan.geometry;
        let mut blocks = Stream::new(self.file);
        blocks.write_block(self.plan.double_indirect, &resize_inode::double_indirect_block(geometry))?;
        for (at, contents) in resize_inode::reserved_block_contents(geometry) {
            blocks.write_block(at, &contents)?;
        }
        blocks.flush()
    }

    /// The backups, each with all descriptors, then the primary's descriptors, then the primary.
    fn write_supers(&self, descriptors: &[u8], free: Free) -> Result<(), Error> {
        let superblock = NewSuperblock {
            geometry: &self.plan.geometry,
            options: self.options,
            free_blocks: free.blocks,
            free_inodes: free.inodes,
            reserved_blocks: self.plan.reserved,
            journal: self.journal(),
            large_dir: self.large_dir,
        }
        .fields();
        for group in self.plan.geometry.backup_groups() {
            let offset = group * BLOCKS_PER_GROUP * BLOCK_SIZE;
            self.write_at(offset, &superblock.encode(group))?;
            self.write_at(offset + BLOCK_SIZE, descriptors)?;
        }
        self.write_at(self.plan.geometry.descriptor_block(0) * BLOCK_SIZE, descriptors)?;
        self.write_at(superblock::PRIMARY_OFFSET, &superblock.encode(0))
    }

    fn journal(&self) -> Option<JournalCopy> {
        let map = || journal_tree(self.plan, Seed::new(&self.options.uuid)).root;
        let blocks = self.plan.journal_blocks();
        (blocks > 0).then(|| JournalCopy { map: map(), blocks })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all_at(bytes, offset).map_err(while_trying("write to"))
    }
}
