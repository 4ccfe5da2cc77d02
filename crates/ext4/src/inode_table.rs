//! The second walk over the tree: directories, links and extended attributes are written behind the data, and each
//! inode into the table of its group.

use std::fs::File;

use crate::BLOCK_SIZE;
use crate::csum::Seed;
use crate::cursor::Cursor;
use crate::directory;
use crate::disk::Stream;
use crate::error::Error;
use crate::extent::{self, ExtentTree};
use crate::file_type::FileType;
use crate::inode::{self, EXTENTS_FL, I_BLOCK_SIZE, INDEX_FL, INODE_SIZE, RawInode, SECTORS_PER_BLOCK};
use crate::journal;
use crate::numbering::{self, Numbered, Numbering};
use crate::options::Options;
use crate::resize_inode;
use crate::sizing::Plan;
use crate::tree::{Kind, Timestamp};
use crate::tree_blocks::{Allocation, allocate, encode_xattrs};

const BLOCK: usize = BLOCK_SIZE as usize;
/// The permissions of the writer's own files.
const PRIVATE: u16 = 0o600;
/// `i_generation`, the same for all.
const GENERATION: u32 = 0;

/// Writes the inodes of a file system whose places are all decided.
pub(crate) struct InodeTable<'a> {
    numbering: &'a Numbering<'a>,
    plan: &'a Plan,
    seed: Seed,
    /// The time of what the writer adds itself.
    time: Timestamp,
    /// The blocks of the tree, which follow one another.
    blocks: Stream<'a>,
    /// The inodes, which follow one another within a table.
    inodes: Stream<'a>,
    /// Directories in each group that has any (`bg_used_dirs_count`).
    directories: Vec<u32>,
}

impl<'a> InodeTable<'a> {
    pub fn new(file: &'a File, numbering: &'a Numbering<'a>, plan: &'a Plan, options: &Options) -> Self {
        Self {
            numbering,
            plan,
            seed: Seed::new(&options.uuid),
            time: Timestamp { seconds: options.time, nanoseconds: 0 },
            blocks: Stream::new(file),
            inodes: Stream::new(file),
            directories: Vec::new(),
        }
    }

    /// Writes every inode; `cursor` stands where the first walk began, and `layouts` are those that it found.
    /// Gives the directories in each group.
    pub fn write(mut self, mut cursor: Cursor, layouts: &[directory::Layout]) -> Result<Vec<u32>, Error> {
        let mut layouts = layouts.iter();
        for numbered in self.numbering.inodes() {
            let layout = match numbered.inode.kind {
                Kind::Directory(_) => layouts.next(),
                _ => None,
            };
            self.write_named(&numbered, layout, &mut cursor)?;
            if numbered.number == numbering::ROOT {
                self.write_reserved()?;
            }
        }
        self.blocks.flush()?;
        self.inodes.flush()?;
        Ok(self.directories)
    }

    /// An inode of the tree, with its blocks.
    fn write_named(
        &mut self,
        numbered: &Numbered,
        layout: Option<&directory::Layout>,
        cursor: &mut Cursor,
    ) -> Result<(), Error> {
        let Numbered { number, links, inode, .. } = *numbered;
        let mut xattrs = encode_xattrs(self.numbering, numbered)?;
        let directory_blocks = layout.map_or(0, directory::Layout::block_count);
        let allocation = allocate(&inode.kind, directory_blocks, xattrs.block.is_some(), cursor);
        let body = self.write_body(numbered, layout, &allocation)?;
        if let Some(at) = allocation.xattr_block {
            xattrs.seal(at, self.seed);
            if let Some(block) = &xattrs.block {
                self.blocks.write_block(at, block)?;
            }
        }
        let mode = FileType::from(&inode.kind).mode() | inode.metadata.mode & 0o7777;
        let mut raw = RawInode {
            uid: inode.metadata.uid,
            gid: inode.metadata.gid,
            size: body.size,
            links,
            flags: body.flags,
            sectors: allocation.blocks() * SECTORS_PER_BLOCK,
            block: body.map,
            file_acl: allocation.xattr_block.unwrap_or(0),
            generation: GENERATION,
            ..RawInode::new(mode, inode.metadata.time)
        };
        raw.xattrs[..xattrs.in_inode.len()].copy_from_slice(&xattrs.in_inode);
        self.write_inode(number, &raw)
    }

    /// The inode's content, as far as it is not placed yet, and what the inode says of it.
    fn write_body(
        &mut self,
        numbered: &Numbered,
        layout: Option<&directory::Layout>,
        allocation: &Allocation,
    ) -> Result<Body, Error> {
        if let Some(layout) = layout {
            return self.write_directory(numbered, layout, allocation);
        }
        match &numbered.inode.kind {
            Kind::File(content) => {
                let map = self.write_extents(numbered.number, allocation)?;
                Ok(Body { size: content.size(), flags: EXTENTS_FL, map })
            }
            Kind::Symlink(target) => self.write_symlink(numbered.number, target, allocation),
            Kind::CharacterDevice(device) | Kind::BlockDevice(device) => {
                let map = inode::device(*device).ok_or_else(|| Error::IllegalDevice {
                    path: self.numbering.path_of(numbered),
                    major: device.major,
                    minor: device.minor,
                })?;
                Ok(Body { size: 0, flags: 0, map })
            }
            Kind::Directory(_) | Kind::Fifo | Kind::Socket => Ok(Body { size: 0, flags: 0, map: [0; I_BLOCK_SIZE] }),
        }
    }

    /// A directory's blocks.
    fn write_directory(
        &mut self,
        numbered: &Numbered,
        layout: &directory::Layout,
        allocation: &Allocation,
    ) -> Result<Body, Error> {
        let Numbered { number, parent, .. } = *numbered;
        let entries = self.numbering.entries(numbered);
        let mut places = allocation.extents.iter().flat_map(|e| e.physical..e.physical + u64::from(e.length));
        let blocks = &mut self.blocks;
        let mut sink = |block: &[u8; BLOCK]| places.next().map_or(Ok(()), |at| blocks.write_block(at, block));
        layout.encode(number, parent, &entries, self.seed.inode(number, GENERATION), &mut sink)?;
        self.count_directory(number);
        Ok(Body {
            size: u64::from(layout.block_count()) * BLOCK_SIZE,
            flags: if layout.is_indexed() { EXTENTS_FL | INDEX_FL } else { EXTENTS_FL },
            map: self.write_extents(number, allocation)?,
        })
    }

    /// A link's target stands in the inode when it is short, and in a block when it is long.
    fn write_symlink(&mut self, number: u32, target: &[u8], allocation: &Allocation) -> Result<Body, Error> {
        let size = target.len() as u64;
        if let Some(map) = inode::fast_symlink(target) {
            return Ok(Body { size, flags: 0, map });
        }
        let mut block = [0; BLOCK];
        block[..target.len()].copy_from_slice(target);
        for extent in allocation.extents.iter() {
            self.blocks.write_block(extent.physical, &block)?;
        }
        Ok(Body { size, flags: EXTENTS_FL, map: self.write_extents(number, allocation)? })
    }

    /// The blocks of the extent tree; gives its root.
    fn write_extents(&mut self, number: u32, allocation: &Allocation) -> Result<[u8; I_BLOCK_SIZE], Error> {
        let seed = self.seed.inode(number, GENERATION);
        let ExtentTree { root, nodes } = extent::encode(&allocation.extents, &allocation.nodes, seed);
        for (at, node) in allocation.nodes.iter().zip(&nodes) {
            self.blocks.write_block(*at, node)?;
        }
        Ok(root)
    }

    /// The resize inode, and the journal's when there is one.
    fn write_reserved(&mut self) -> Result<(), Error> {
        let resize = RawInode {
            size: resize_inode::FILE_SIZE,
            sectors: resize_inode::sectors(&self.plan.geometry),
            block: resize_inode::map(self.plan.double_indirect),
            ..self.own_file()
        };
        self.write_inode(numbering::RESIZE, &resize)?;
        if self.plan.journal.is_empty() {
            return Ok(());
        }
        let journal = RawInode {
            size: self.plan.journal_blocks() * BLOCK_SIZE,
            sectors: (self.plan.journal_blocks() + self.plan.journal_nodes.len() as u64) * SECTORS_PER_BLOCK,
            flags: EXTENTS_FL,
            block: journal_tree(self.plan, self.seed).root,
            ..self.own_file()
        };
        self.write_inode(numbering::JOURNAL, &journal)
    }

    /// A regular file of the writer's own, without content.
    fn own_file(&self) -> RawInode {
        RawInode { generation: GENERATION, ..RawInode::new(FileType::Regular.mode() | PRIVATE, self.time) }
    }

    fn count_directory(&mut self, number: u32) {
        let (group, _) = self.place(number);
        self.directories.resize(self.directories.len().max(group + 1), 0);
        self.directories[group] += 1;
    }

    fn write_inode(&mut self, number: u32, raw: &RawInode) -> Result<(), Error> {
        let (group, place) = self.place(number);
        let offset = self.plan.groups[group].inode_table * BLOCK_SIZE + place * INODE_SIZE as u64;
        self.inodes.write(offset, &raw.encode(number, self.seed))
    }

    /// The inode's group, and its place in the group's table.
    fn place(&self, number: u32) -> (usize, u64) {
        let (index, inodes_per_group) = (number - 1, self.plan.geometry.inodes_per_group);
        ((index / inodes_per_group) as usize, u64::from(index % inodes_per_group))
    }
}

/// What an inode says of its content.
struct Body {
    size: u64,
    flags: u32,
    map: [u8; I_BLOCK_SIZE],
}

/// The journal's extent tree.
pub(crate) fn journal_tree(plan: &Plan, seed: Seed) -> ExtentTree {
    extent::encode(&plan.journal, &plan.journal_nodes, seed.inode(numbering::JOURNAL, GENERATION))
}

/// Writes the journal's superblock and the blocks of its extent tree, when there is one.
pub(crate) fn write_journal(file: &File, plan: &Plan, uuid: &[u8; 16]) -> Result<(), Error> {
    let mut blocks = Stream::new(file);
    if let Some(first) = plan.journal.first() {
        blocks.write_block(first.physical, &journal::superblock(plan.journal_blocks() as u32, uuid))?;
    }
    for (at, node) in plan.journal_nodes.iter().zip(&journal_tree(plan, Seed::new(uuid)).nodes) {
        blocks.write_block(*at, node)?;
    }
    blocks.flush()
}
