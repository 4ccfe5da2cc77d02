//! Regular files of every shape: over the backups, with holes, with many extents, as long as the format allows.

mod support;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};

use ext4_view::Ext4;
use nex_ext4::{BLOCK_SIZE, Content, Error, Kind, Layout, Size, Tree};
use nex_testkit::kernel::{self, Access, Mount};
use support::{Builder, GIB, Image, MIB, debugfs, have, pattern};

#[test]
fn a_file_runs_over_the_backups() {
    let mut builder = Builder::new(&Layout::default());
    let mut file = builder.writer.file();
    let chunk = pattern(1, MIB as usize);
    (0..300).for_each(|_| file.write(&chunk).unwrap());
    let content = file.finish().unwrap();
    assert!(content.extents().len() > 2);
    let read = builder.writer.read(&content, u64::MAX).unwrap();
    assert!(read.len() == 300 << 20 && read.chunks(chunk.len()).all(|part| part == chunk));
    builder.add(Tree::ROOT, "large", Kind::File(content));
    let image = builder.finish(Size::Auto { free: None });
    image.assert_clean();
    let read = support::read(&image.path(), "/large");
    assert!(read.chunks(chunk.len()).all(|part| part == chunk));
}

#[test]
fn zeros_take_blocks_but_no_room_on_the_host() {
    let mut builder = Builder::new(&Layout::default());
    let zeros = vec![0; 16 << 20];
    let mut file = builder.writer.file();
    (0..60).for_each(|_| file.write(&zeros).unwrap());
    let content = file.finish().unwrap();
    assert_eq!(content.blocks() * BLOCK_SIZE, content.size());
    builder.add(Tree::ROOT, "zeros", Kind::File(content));
    let image = builder.finish(Size::Auto { free: Some(0) });
    image.assert_clean();
    assert!(image.path().metadata().unwrap().blocks() * 512 < 4 * MIB);
}

#[test]
fn a_hole_takes_no_blocks() {
    let mut builder = Builder::new(&Layout::default());
    let mut file = builder.writer.file();
    file.write(b"head").unwrap();
    file.hole(10 * GIB).unwrap();
    file.write(b"tail").unwrap();
    let content = file.finish().unwrap();
    assert_eq!((content.size(), content.blocks()), (10 * GIB + 8, 2));
    builder.add(Tree::ROOT, "sparse", Kind::File(content));
    let image = builder.finish(Size::Auto { free: None });
    image.assert_clean();
}

/// What stands at each place of a file that is a hole elsewhere: two blocks, of which the second is a partial one.
fn piece(at: u64) -> Vec<u8> {
    pattern(at, 5000)
}

/// A file of this size with pieces at these places, and holes between.
fn sparse(builder: &mut Builder, size: u64, places: &[u64]) -> Result<Content, Error> {
    let mut file = builder.writer.file();
    let mut end = 0;
    for at in places {
        file.hole(at - end)?;
        file.write(&piece(*at))?;
        end = at + piece(*at).len() as u64;
    }
    file.hole(size - end)?;
    file.finish()
}

#[test]
fn long_files_are_read_back_from_end_to_end() {
    const LONGEST: u64 = u32::MAX as u64 * BLOCK_SIZE;
    let every = |step: u64, size: u64| (0..size).step_by(step as usize).collect::<Vec<_>>();
    let files = [
        ("45-gib", 45 * GIB, every(GIB, 45 * GIB)),
        ("1-tib", 1024 * GIB, every(GIB, 1024 * GIB)),
        ("odd", 45 * GIB + 4097, vec![GIB, 45 * GIB - 4096]),
        ("longest", LONGEST, vec![0, LONGEST - 5000]),
        ("hole", LONGEST, vec![]),
        ("short-hole", 1, vec![]),
    ];
    let mut builder = Builder::new(&Layout::default());
    for (name, size, places) in &files {
        let content = sparse(&mut builder, *size, places).unwrap();
        assert_eq!((content.size(), content.blocks()), (*size, blocks_of(places)));
        builder.add(Tree::ROOT, name, Kind::File(content));
    }
    let image = builder.finish(Size::Auto { free: Some(0) });
    assert!(image.report.size < 64 * MIB);
    image.assert_clean();
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadOnly).unwrap();
    for (name, size, places) in &files {
        let file = File::open(mount.path().join(name)).unwrap();
        assert_eq!(file.metadata().unwrap().len(), *size);
        assert_reads(places, *size, |at, bytes| file.read_exact_at(bytes, at).unwrap());
    }
    mount.unmount().unwrap();
}

/// How many blocks the pieces at these places begin in or go over.
fn blocks_of(places: &[u64]) -> u64 {
    places.iter().map(|at| (at + 5000).div_ceil(BLOCK_SIZE) - at / BLOCK_SIZE).sum()
}

/// Asserts that every piece is there, and zeros before and behind it.
fn assert_reads(places: &[u64], size: u64, mut read: impl FnMut(u64, &mut [u8])) {
    for at in places {
        let mut bytes = vec![1; 5000];
        read(*at, &mut bytes);
        assert!(bytes == piece(*at), "other bytes at {at}");
        for gap in [at.saturating_sub(100), at + 5000] {
            let mut zeros = [1; 100];
            if gap != *at
                && gap + 100 <= size
                && !places.iter().any(|at| (at.saturating_sub(99)..at + 5000).contains(&gap))
            {
                read(gap, &mut zeros);
                assert_eq!(zeros, [0; 100], "no hole at {gap}");
            }
        }
    }
}

#[test]
fn a_hole_of_several_parts_is_one() {
    for parts in [&[1, 1, 1][..], &[4095, 1], &[4095, 2, 8191], &[5000, 100, 5000], &[0, 3, 0]] {
        let mut builder = Builder::new(&Layout::default());
        let size: u64 = parts.iter().sum();
        for (name, ends) in [("hole", false), ("ended", true)] {
            let mut file = builder.writer.file();
            parts.iter().for_each(|part| file.hole(*part).unwrap());
            if ends {
                file.write(b"end").unwrap();
                file.write(b"").unwrap();
            }
            let content = file.finish().unwrap();
            let end = size + if ends { 3 } else { 0 };
            let blocks = if ends { end.div_ceil(BLOCK_SIZE) - size / BLOCK_SIZE } else { 0 };
            assert_eq!((content.size(), content.blocks()), (end, blocks), "{parts:?}");
            builder.add(Tree::ROOT, name, Kind::File(content));
        }
        let image = builder.finish(Size::Auto { free: Some(0) });
        image.assert_clean();
        let expected = vec![0; size as usize];
        assert!(support::read(&image.path(), "/hole") == expected);
        assert!(support::read(&image.path(), "/ended") == [&expected[..], b"end"].concat());
    }
}

#[test]
fn one_byte_more_than_the_longest_file_is_refused() {
    let mut builder = Builder::new(&Layout::default());
    let mut file = builder.writer.file();
    file.hole(u32::MAX as u64 * BLOCK_SIZE).unwrap();
    assert!(matches!(file.write(b"x"), Err(Error::FileTooLarge { .. })));
    assert!(matches!(file.hole(u64::MAX), Err(Error::FileTooLarge { .. })));
}

#[test]
fn trees_of_extents_are_as_shallow_as_they_can_be() {
    // The inode holds 4 extents or index entries, a block 340.
    for (extents, depth, nodes) in [(4, 0, 0), (5, 1, 1), (1360, 1, 4), (1361, 2, 5 + 1), (100_000, 2, 295 + 1)] {
        let mut builder = Builder::new(&Layout::default());
        let mut file = builder.writer.file();
        for extent in 0..extents {
            file.write(&block(extent)).unwrap();
            file.hole(BLOCK_SIZE).unwrap();
        }
        let content = file.finish().unwrap();
        assert_eq!(content.extents().len() as u64, extents);
        builder.add(Tree::ROOT, "holes", Kind::File(content));
        let image = builder.finish(Size::Auto { free: Some(0) });
        image.assert_clean();
        if have("debugfs") {
            assert_eq!(tree(&image), (depth, nodes), "{extents} extents");
        }
        let mut file = Ext4::load_from_path(image.path()).unwrap().open("/holes").unwrap();
        let mut pair = [0; 2 * BLOCK_SIZE as usize];
        for extent in 0..extents {
            file.read_exact(&mut pair).unwrap();
            let (data, hole) = pair.split_at(BLOCK_SIZE as usize);
            assert!(*data == block(extent) && *hole == [0; BLOCK_SIZE as usize], "extent {extent} of {extents}");
        }
    }
}

/// A block that is like no other.
fn block(number: u64) -> [u8; BLOCK_SIZE as usize] {
    let mut block = [7; BLOCK_SIZE as usize];
    block[..8].copy_from_slice(&number.to_le_bytes());
    block
}

/// The depth of the extent tree of `/holes`, and its blocks outside the inode, as debugfs finds them: it begins the line of
/// each such block with its level and the tree's depth.
fn tree(image: &Image) -> (u64, u64) {
    let dump = debugfs(&image.path(), "dump_extents -n /holes");
    let depth = |line: &str| line.split_once('/')?.1.split_whitespace().next()?.parse().ok();
    let depths: Vec<u64> = dump.lines().filter_map(depth).collect();
    (depths.first().copied().unwrap_or(0), depths.len() as u64)
}

#[test]
fn a_copy_has_the_bytes_and_the_holes_of_its_original() {
    let mut builder = Builder::new(&Layout::default());
    let places = [0, MIB + 1, 10 * GIB];
    let original = sparse(&mut builder, 10 * GIB + 9000, &places).unwrap();
    let mut file = builder.writer.file();
    file.copy(&original).unwrap();
    let copy = file.finish().unwrap();
    assert_eq!((copy.size(), copy.blocks()), (original.size(), original.blocks()));
    builder.add(Tree::ROOT, "copy", Kind::File(copy));
    let image = builder.finish(Size::Auto { free: Some(0) });
    image.assert_clean();
    let mut file = Ext4::load_from_path(image.path()).unwrap().open("/copy").unwrap();
    let read = |at: u64, bytes: &mut [u8]| {
        file.seek(SeekFrom::Start(at)).unwrap();
        file.read_exact(bytes).unwrap();
    };
    assert_reads(&places, 10 * GIB + 9000, read);
}
