//! Whole file systems before e2fsck: sizes near the edges, content without a name, backups that restore.

mod support;

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use nex_ext4::{BLOCK_SIZE, Error, Kind, Layout, Size, Tree, Xattr};
use support::{
    Builder, GIB, MIB, assert_every_fsck_is_silent, assert_fsck_is_silent, difference, e2fsck, flip_byte, have,
    pattern, text,
};

const GROUP: u64 = 32_768 * BLOCK_SIZE;

fn empty(size: Size) -> support::Image {
    let limit = match size {
        Size::Exact(size) => Some(size),
        Size::Auto { .. } => None,
    };
    Builder::new(&Layout { size_limit: limit, ..Layout::default() }).finish(size)
}

#[test]
fn an_empty_tree_is_a_clean_file_system() {
    let image = empty(Size::Auto { free: None });
    image.assert_clean();
    assert!(image.report.free_blocks * BLOCK_SIZE >= 64 * MIB);
}

#[test]
fn every_size_near_an_edge_is_clean() {
    let odd = [16 * MIB, 20 * MIB + 1, 64 * MIB, 127 * MIB, 150 * MIB, 333 * MIB + 4095, 1100 * MIB];
    let edges = [1, 2, 3, 4, 8, 16].map(|groups| groups * GROUP);
    let near = edges.into_iter().flat_map(|edge| {
        [
            edge - BLOCK_SIZE,
            edge,
            edge + BLOCK_SIZE,
            edge + 563 * BLOCK_SIZE,
            edge + 564 * BLOCK_SIZE,
            edge + 597 * BLOCK_SIZE,
        ]
    });
    for size in odd.into_iter().chain(near) {
        let image = empty(Size::Exact(size));
        assert_eq!(image.path().metadata().unwrap().len(), size);
        assert_eq!(image.report.size, size);
        assert_every_fsck_is_silent(&image.path());
    }
}

#[test]
fn large_sizes_are_clean_and_sparse() {
    for size in [8 * GIB, 8 * GIB + 4 * MIB, 40 * GIB, 300 * GIB] {
        let image = empty(Size::Exact(size));
        assert_every_fsck_is_silent(&image.path());
        assert!(image.path().metadata().unwrap().blocks() * 512 < 64 * MIB);
    }
}

#[test]
fn every_reserve_for_growth_is_clean() {
    for (max_size, size) in [(0, 150 * MIB), (GIB, 150 * MIB), (8 << 40, 150 * MIB), (0, 9 * GIB), (4 << 40, 9 * GIB)] {
        let image = Builder::new(&Layout { max_size, size_limit: Some(size) }).finish(Size::Exact(size));
        assert_every_fsck_is_silent(&image.path());
    }
}

#[test]
fn a_size_past_the_reserve_is_refused() {
    let builder = Builder::new(&Layout { max_size: 8 * GIB, size_limit: None });
    let error = builder.try_finish(Size::Exact(9 * GIB)).map(|image| image.report).unwrap_err();
    assert!(matches!(error, Error::TooLarge { max_size, .. } if max_size == 8 * GIB), "{error}");
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let build = || {
        let mut builder = Builder::new(&Layout::default());
        let directory = builder.add_directory(Tree::ROOT, "d");
        (0..500).for_each(|i| _ = builder.add_file(directory, format!("file {i}"), &pattern(i, i as usize * 37)));
        builder.finish(Size::Auto { free: Some(MIB) })
    };
    assert!(build().bytes() == build().bytes());
}

/// Same inputs, same bytes, from one version to the next: whoever changes the layout on purpose changes the sum.
#[test]
fn the_bytes_of_a_known_tree_are_known() {
    const CRC32C: u32 = 2_714_004_777;
    let mut builder = Builder::new(&Layout::default());
    let directory = builder.add_directory(Tree::ROOT, "d");
    let file = builder.add_file(directory, "file", &pattern(1, 100_000));
    builder.link(Tree::ROOT, "again", file);
    (0..500).for_each(|i| _ = builder.add(directory, format!("pipe {i}"), Kind::Fifo));
    builder.add(directory, "link", Kind::Symlink(vec![b'x'; 100].into()));
    let xattr = |name: &str, length| Xattr { name: name.as_bytes().into(), value: vec![7; length].into() };
    builder.tree.inode_mut(file).xattrs = [xattr("user.small", 10), xattr("user.large", 1000)].into();
    let image = builder.finish(Size::Exact(150 * MIB));
    image.assert_clean();
    assert_eq!(crc32c::crc32c(&image.bytes()), CRC32C, "the layout has changed");
}

#[test]
fn content_without_a_name_is_gone() {
    let mut builder = Builder::new(&Layout::default());
    builder.add_file(Tree::ROOT, "before", &pattern(1, 10_000));
    let secret = pattern(99, 100_000);
    builder.place(&secret);
    builder.add_file(Tree::ROOT, "after", &pattern(2, 10_000));
    builder.writer.file().write(&secret).unwrap();
    let image = builder.finish(Size::Auto { free: Some(0) });
    image.assert_clean();
    let bytes = image.bytes();
    assert!(!bytes.windows(64).step_by(4096).any(|window| window == &secret[..64]));
    assert!(!bytes.chunks(4096).any(|block| secret.chunks(4096).any(|part| part.len() == 4096 && block == part)));
}

#[test]
fn the_smallest_size_fits_and_one_block_less_says_what_is_needed() {
    let builder = |limit| {
        let mut builder = Builder::new(&Layout { size_limit: limit, ..Layout::default() });
        builder.add_file(Tree::ROOT, "file", &pattern(3, 40 << 20));
        builder
    };
    let needed = builder(None).finish(Size::Auto { free: None }).report.needed;
    let tight = builder(Some(needed)).finish(Size::Exact(needed));
    tight.assert_clean();
    assert_eq!(tight.report.free_blocks, 0);
    let size = needed - BLOCK_SIZE;
    match builder(Some(size)).try_finish(Size::Exact(size)) {
        Err(Error::TooSmall { needed: told, size: given }) => assert_eq!((told, given), (needed, size)),
        other => panic!("{:?}", other.map(|image| image.report)),
    }
}

#[test]
fn data_past_a_fixed_size_is_counted_but_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let layout = Layout { size_limit: Some(32 * MIB), ..Layout::default() };
    let mut writer = nex_ext4::Writer::new(file, &layout).unwrap();
    let mut tree = Tree::new(support::metadata(0o755));
    let mut file = writer.file();
    (0..64).for_each(|i| file.write(&pattern(i, 1 << 20)).unwrap());
    let kind = Kind::File(file.finish().unwrap());
    let id = tree.add(nex_ext4::Inode { metadata: support::metadata(0o644), kind, xattrs: Box::default() });
    tree.directory_mut(Tree::ROOT).unwrap().insert(b"file"[..].into(), id);
    let error = writer.finish(&tree, &support::options(Size::Exact(32 * MIB))).unwrap_err();
    assert!(matches!(error, Error::TooSmall { needed, .. } if needed > 64 * MIB && needed < 72 * MIB), "{error}");
    assert!(path.metadata().unwrap().len() <= 32 * MIB);
}

#[test]
fn a_backup_restores_the_front() {
    if !have("e2fsck") {
        return;
    }
    for (size, backup) in [(150 * MIB, 32_768), (9 * GIB, 32_768 * 49)] {
        let mut builder = Builder::new(&Layout::default());
        builder.add_file(Tree::ROOT, "file", &pattern(4, 1 << 20));
        let image = builder.finish(Size::Exact(size));
        let copy = image.copy();
        let front = vec![0; 33 * BLOCK_SIZE as usize];
        File::options().write(true).open(&copy).unwrap().write_all_at(&front, 0).unwrap();
        let output = e2fsck(&["-fy", "-B", "4096", "-b", &backup.to_string()], &copy);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert_fsck_is_silent(&copy);
        let read = support::read(&copy, "/file");
        assert!(read == pattern(4, 1 << 20));
    }
}

#[test]
fn every_backup_equals_the_primary_but_for_its_group() {
    let image = empty(Size::Exact(9 * GIB));
    let file = File::open(image.path()).unwrap();
    let read = |offset: u64, length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset).unwrap();
        bytes
    };
    let primary = read(1024, 1024);
    for group in [1, 3, 5, 7, 9, 25, 27, 49] {
        let mut backup = read(group * GROUP, 1024);
        assert_eq!(backup[0x5A..0x5C], (group as u16).to_le_bytes());
        backup[0x5A..0x5C].copy_from_slice(&[0, 0]);
        assert_eq!(backup[..0x3FC], primary[..0x3FC]);
        assert_eq!(read(group * GROUP + BLOCK_SIZE, 2 * 4096), read(BLOCK_SIZE, 2 * 4096));
    }
}

#[test]
fn e2fsck_objects_to_a_flipped_byte() {
    if !have("e2fsck") {
        return;
    }
    let image = empty(Size::Exact(64 * MIB));
    let bitmap = support::debugfs(&image.path(), "stats");
    let block = |what: &str| {
        let place = bitmap.find(what).unwrap() + what.len();
        let digits: String = bitmap[place..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().unwrap() * BLOCK_SIZE
    };
    let places = [
        1024 + 0x38 + 8,
        BLOCK_SIZE + 4,
        block("block bitmap at ") + 9,
        block("inode bitmap at ") + 1,
        block("inode table at ") + 256 + 40,
    ];
    for place in places {
        let copy = image.copy();
        flip_byte(&copy, place);
        assert_eq!(difference(&image.path(), &copy), [place]);
        assert!(!e2fsck(&["-fn"], &copy).status.success(), "nobody saw the byte at {place:#x}");
    }
}
