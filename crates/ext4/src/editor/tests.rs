//! File systems whose numbers are wrong and whose checksums are right: reading and changing them ends, without a panic.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;

use nex_testkit::noise::Random;

use super::*;
use crate::dirent::{Entry, Leaf};
use crate::extent;
use crate::file_type::FileType;
use crate::inode::INODE_SIZE;
use crate::{
    Directory, Inode, Kind, Layout, Metadata, Options, ReadAt, Size, Timestamp, Tree, Writer, jbd2, numbering,
    superblock,
};

const SIZE: u64 = 6 << 20;

/// A file system over which changes are laid.
struct Overlay<'a> {
    below: &'a [u8],
    changed: RefCell<BTreeMap<u64, Vec<u8>>>,
    size: RefCell<u64>,
}

impl<'a> Overlay<'a> {
    fn new(below: &'a [u8]) -> Self {
        Self { below, changed: RefCell::default(), size: RefCell::new(below.len() as u64) }
    }

    fn block(&self, number: u64) -> Vec<u8> {
        let start = number as usize * BLOCK;
        let below = || self.below.get(start..start + BLOCK).map_or(vec![0; BLOCK], <[u8]>::to_vec);
        self.changed.borrow().get(&number).cloned().unwrap_or_else(below)
    }

    fn set(&self, number: u64, change: impl FnOnce(&mut Block)) {
        let mut block: Block = self.block(number).try_into().unwrap();
        change(&mut block);
        self.changed.borrow_mut().insert(number, block.to_vec());
    }
}

/// The blocks that `length` bytes from `offset` on touch: each with the place in the block and in the bytes.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, Range<usize>, Range<usize>)> {
    let end = offset + length as u64;
    (offset / BLOCK_SIZE..end.div_ceil(BLOCK_SIZE)).map(move |number| {
        let start = number * BLOCK_SIZE;
        let (first, last) = (offset.max(start), end.min(start + BLOCK_SIZE));
        let relative = |base: u64| (first - base) as usize..(last - base) as usize;
        (number, relative(start), relative(offset))
    })
}

impl ReadAt for Overlay<'_> {
    fn size(&self) -> io::Result<u64> {
        Ok(*self.size.borrow())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        if offset + bytes.len() as u64 > *self.size.borrow() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, within, part) in parts(offset, bytes.len()) {
            bytes[part].copy_from_slice(&self.block(number)[within]);
        }
        Ok(())
    }
}

impl Storage for Overlay<'_> {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        for (number, within, part) in parts(offset, bytes.len()) {
            self.set(number, |block| block[within].copy_from_slice(&bytes[part]));
        }
        Ok(())
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<()> {
        for number in offset / BLOCK_SIZE..(offset + length) / BLOCK_SIZE {
            self.changed.borrow_mut().insert(number, vec![0; BLOCK]);
        }
        Ok(())
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        *self.size.borrow_mut() = size;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A small file system with `/bin/agent`, whose content has a tree of two levels.
fn image() -> Vec<u8> {
    let file: File = tempfile::tempfile().unwrap();
    let mut writer = Writer::new(file, &Layout::default()).unwrap();
    let metadata = Metadata { mode: 0o755, uid: 0, gid: 0, time: Timestamp { seconds: 0, nanoseconds: 0 } };
    let mut tree = Tree::new(metadata);
    let mut content = writer.file();
    for _ in 0..20 {
        content.write(&[7; BLOCK]).unwrap();
        content.hole(BLOCK_SIZE).unwrap();
    }
    let content = content.finish().unwrap();
    let inode = |kind| Inode { metadata, kind, xattrs: Box::default() };
    let agent = tree.add(inode(Kind::File(content)));
    let bin = tree.add(inode(Kind::Directory(Directory::new())));
    let link = tree.add(inode(Kind::Symlink(b"bin".to_vec().into())));
    tree.directory_mut(Tree::ROOT).unwrap().insert(b"bin"[..].into(), bin);
    tree.directory_mut(Tree::ROOT).unwrap().insert(b"link"[..].into(), link);
    tree.directory_mut(bin).unwrap().insert(b"agent"[..].into(), agent);
    let sizes = crate::Sizes { inodes: Some(64), ..Size::Exact(SIZE).into() };
    let options = Options { sizes, uuid: [1; 16], hash_seed: [2; 16], label: [0; 16], time: 0 };
    let (file, _) = writer.finish(&tree, &options).unwrap();
    let mut bytes = vec![0; SIZE as usize];
    ReadAt::read_at(&file, &mut bytes, 0).unwrap();
    bytes
}

/// A byte near an edge, or any.
fn byte(random: &mut Random) -> u8 {
    let edges = [0, 1, 0x7f, 0x80, 0xff];
    if random.below(2) == 0 { edges[random.below(edges.len())] } else { random.byte() }
}

/// Changes a few bytes.
fn damage_bytes(random: &mut Random, bytes: &mut [u8]) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        bytes[at] = byte(random);
    }
}

/// Changes some numbers of one structure and makes its checksum right again.
fn damage(overlay: &Overlay, random: &mut Random) {
    let file_system = Editor::open(overlay).unwrap();
    let seed = file_system.seed;
    let located = |path: &[u8]| file_system.reader.stat(path).unwrap().unwrap();
    let (agent, bin) = (located(b"/bin/agent"), located(b"/bin"));
    match random.below(7) {
        0 => overlay.set(0, |block| {
            let record = &mut block[superblock::PRIMARY_OFFSET as usize..][..superblock::SIZE];
            // The UUID stays: every checksum is seeded by it.
            let uuid = 0x68..0x78;
            let before = record[uuid.clone()].to_vec();
            damage_bytes(random, record);
            record[uuid].copy_from_slice(&before);
            let (superblock, _) = Superblock::decode((&*record).try_into().unwrap());
            record.copy_from_slice(&superblock.encode(superblock.group.into()));
        }),
        1 => overlay.set(1, |block| {
            let mut descriptor = file_system.descriptors[0].clone();
            let value = [0, 1, 5, 0xffff, u64::from(u32::MAX), u64::MAX, SIZE / BLOCK_SIZE - 1][random.below(7)];
            match random.below(6) {
                0 => descriptor.block_bitmap = value,
                1 => descriptor.inode_bitmap = value,
                2 => descriptor.inode_table = value,
                3 => descriptor.free_blocks = value as u32,
                4 => descriptor.flags = value as u16,
                _ => descriptor.block_bitmap_checksum = value as u32,
            }
            block[..crate::group_descriptor::SIZE].copy_from_slice(&descriptor.encode(0, seed));
        }),
        2 => {
            let descriptor = &file_system.descriptors[0];
            overlay.set(descriptor.block_bitmap, |block| damage_bytes(random, block));
            let bitmap: Block = overlay.block(descriptor.block_bitmap).try_into().unwrap();
            let mut descriptor = descriptor.clone();
            descriptor.block_bitmap_checksum = crate::csum::bitmap(seed, &bitmap);
            let free = crate::bitmap::free_runs(&bitmap, file_system.geometry.group_blocks(0));
            descriptor.free_blocks = free.iter().map(|run| run.end - run.start).sum::<u64>() as u32;
            overlay.set(1, |block| block[..crate::group_descriptor::SIZE].copy_from_slice(&descriptor.encode(0, seed)));
        }
        3 => {
            let number =
                [numbering::ROOT, numbering::RESIZE, numbering::JOURNAL, bin.number, agent.number][random.below(5)];
            let mut inode = file_system.inode(number).unwrap();
            match random.below(5) {
                0 => inode.mode = random.number() as u16,
                1 => inode.size = [0, 1, u64::MAX, 1 << 40][random.below(4)],
                2 => inode.flags = random.number() as u32,
                3 => inode.links = random.number() as u16,
                _ => damage_bytes(random, &mut inode.block),
            }
            let place = file_system.inode_place(number).unwrap();
            let record = inode.encode(number, seed);
            overlay.set(place.block, |block| block[place.offset..][..INODE_SIZE].copy_from_slice(&record));
        }
        4 => {
            let node = file_system.mapping(agent.number, &file_system.inode(agent.number).unwrap()).unwrap().nodes[0];
            let seed = seed.inode(agent.number, agent.generation);
            overlay.set(node, |block| {
                let (body, tail) = block.split_at_mut(BLOCK - 4);
                damage_bytes(random, &mut body[..256]);
                tail.copy_from_slice(&crate::csum::extent_block(seed, body).to_le_bytes());
            });
        }
        5 => {
            let place = file_system.mapping(bin.number, &file_system.inode(bin.number).unwrap()).unwrap().extents[0]
                .extent
                .physical;
            let seed = seed.inode(bin.number, bin.generation);
            let entry = Entry { name: b"agent", inode: random.number() as u32, file_type: FileType::Regular };
            let mut leaf = Leaf::new();
            leaf.push(&entry);
            let sealed = leaf.seal(seed);
            overlay.set(place, |block| {
                if random.below(2) == 0 {
                    *block = sealed;
                }
                let (body, tail) = block.split_at_mut(BLOCK - 4);
                damage_bytes(random, &mut body[..64]);
                tail.copy_from_slice(&crate::csum::directory_leaf(seed, &body[..crate::dirent::ROOM]).to_le_bytes());
            });
        }
        _ => {
            let journal = file_system.inode(numbering::JOURNAL).unwrap();
            let place = file_system.mapping(numbering::JOURNAL, &journal).unwrap().extents[0].extent.physical;
            overlay.set(place, |block| {
                damage_bytes(random, &mut block[12..0x50]);
                let (log, _) = jbd2::Superblock::decode(block);
                *block = log.encode();
            });
        }
    }
}

/// Does all that there is to do, as far as it goes.
fn use_it(overlay: &Overlay) -> Result<(), EditError> {
    let mut file_system = Editor::open(overlay)?;
    for path in [&b"/"[..], b"/link/../link/agent", b"/lost+found"] {
        let reader = file_system.reader();
        if let Some(found) = reader.stat(path)? {
            match found.file_type {
                FileType::Directory => reader.list(&found).map(drop)?,
                FileType::Symlink => reader.read_link(&found).map(drop)?,
                FileType::Regular => reader.content(&found, 1 << 20).map(drop)?,
                _ => {}
            }
            reader.xattrs(&found)?;
        }
    }
    let mut replacement = file_system.replace(b"/bin/agent", 30_000)?;
    replacement.write(&[9; 30_000])?;
    replacement.commit(None)?;
    let found = Editor::open(overlay)?.reader().stat(b"/bin/agent")?;
    assert_eq!(found.map(|found| found.size), Some(30_000), "what was committed is there");
    Editor::open(overlay)?.grow(SIZE + (4 << 20)).map(drop)
}

#[test]
fn wrong_numbers_under_right_checksums_do_no_harm_to_the_program() {
    let image = image();
    assert!(extent::node_count(20) == 1, "the agent's tree has a block");
    use_it(&Overlay::new(&image)).unwrap();
    let mut random = Random::new(1);
    let (mut refused, rounds) = (0, 1000);
    for _ in 0..rounds {
        let overlay = Overlay::new(&image);
        damage(&overlay, &mut random);
        refused += usize::from(use_it(&overlay).is_err());
    }
    assert!(refused > rounds / 3, "{refused} of {rounds} refused");
}

/// Growth is refused for this reason, and nothing is written.
fn assert_does_not_grow(overlay: &Overlay, why: &str) {
    let before = overlay.changed.borrow().clone();
    let error = Editor::open(overlay).and_then(|existing| existing.grow(SIZE + (4 << 20))).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    assert!(*overlay.changed.borrow() == before, "{error}");
}

#[test]
fn a_reserve_that_the_resize_inode_does_not_list_is_not_written_to() {
    let image = image();
    for reserved in [30, 32, 200, 1024] {
        let overlay = Overlay::new(&image);
        overlay.set(0, |block| {
            let record = &mut block[superblock::PRIMARY_OFFSET as usize..][..superblock::SIZE];
            let (mut superblock, _) = Superblock::decode((&*record).try_into().unwrap());
            superblock.reserved_descriptor_blocks = reserved;
            record.copy_from_slice(&superblock.encode(0));
        });
        assert_does_not_grow(&overlay, "does not list the reserved descriptor blocks");
    }
}

#[test]
fn a_block_that_is_not_the_resize_inodes_is_not_written_to() {
    let image = image();
    let file_system = Overlay::new(&image);
    let file_system = Editor::open(&file_system).unwrap();
    let inode = file_system.inode(numbering::RESIZE).unwrap();
    let list = *file_system.block(crate::resize_inode::double_indirect(&inode.block)).unwrap();
    let place = file_system.inode_place(numbering::RESIZE).unwrap();
    let table = file_system.descriptors[0].inode_table + 1;
    let free = file_system.allocate(1, 0).unwrap().extents[0].physical;
    let elsewhere = [(table, false), (table, true), (5, true), (free, true)];
    for (block, is_list) in elsewhere {
        let overlay = Overlay::new(&image);
        let mut inode = inode.clone();
        inode.block = crate::resize_inode::map(block);
        let record = inode.encode(numbering::RESIZE, file_system.seed);
        overlay.set(place.block, |bytes| bytes[place.offset..][..INODE_SIZE].copy_from_slice(&record));
        if is_list {
            overlay.set(block, |bytes| *bytes = list);
        }
        let why = if is_list { "blocks of metadata are free, or belong to a file" } else { "does not list" };
        assert_does_not_grow(&overlay, why);
    }
}
