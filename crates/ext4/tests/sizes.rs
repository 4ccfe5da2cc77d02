//! The parts whose size the caller chooses, before e2fsck, dumpe2fs and the kernel: inodes, journal, root's reserve, growth.

mod support;

use std::collections::BTreeMap;

use nex_ext4::{BLOCK_SIZE, Error, Journal, Layout, Reserved, Size, Sizes};
use nex_testkit::kernel::{self, Access, Mount};
use support::{Builder, GIB, Image, MIB, assert_fsck_is_silent, dumpe2fs, have, pattern};

fn build(layout: &Layout, sizes: Sizes) -> Result<Image, Error> {
    let mut builder = Builder::new(layout);
    builder.add_file(nex_ext4::Tree::ROOT, "file", &pattern(1, 100_000));
    builder.try_finish(sizes)
}

/// A file system of this size whose other parts are as `change` makes them.
fn exact(size: u64, change: impl FnOnce(&mut Sizes)) -> Result<Image, Error> {
    let mut sizes = Sizes::from(Size::Exact(size));
    change(&mut sizes);
    build(&Layout { size_limit: Some(size), ..Layout::default() }, sizes)
}

/// The same with the size that this takes.
fn auto(change: impl FnOnce(&mut Sizes)) -> Result<Image, Error> {
    let mut sizes = Sizes::from(Size::Auto { free: None });
    change(&mut sizes);
    build(&Layout::default(), sizes)
}

/// Asserts that e2fsck is silent and that dumpe2fs counts as the report does; gives what dumpe2fs says of each field.
fn judge(image: &Image) -> BTreeMap<String, String> {
    assert_fsck_is_silent(&image.path());
    let fields = dumpe2fs(&image.path());
    image.assert_counts(&fields);
    fields
}

/// The kernel mounts the image and writes in it, and leaves it clean.
fn write_in_kernel(image: &Image) {
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadWrite).unwrap();
    mount.run("test -e file; mkdir d; head -c 20M /dev/urandom > d/new").unwrap();
    mount.unmount().unwrap();
    assert_fsck_is_silent(&image.path());
}

#[test]
fn a_journal_has_the_size_that_was_asked_for() {
    for blocks in [Journal::MIN_BLOCKS, 5000, 40_000] {
        let image = exact(300 * MIB, |sizes| sizes.journal = Journal::Blocks(blocks)).unwrap();
        assert_eq!(u64::from(image.report.journal_blocks), blocks);
        let fields = judge(&image);
        if have("dumpe2fs") {
            assert_eq!(fields["Total journal blocks"], blocks.to_string());
        }
        image.assert_repair_changes_nothing();
        write_in_kernel(&image);
    }
}

#[test]
fn the_largest_journal_is_clean() {
    let image = auto(|sizes| sizes.journal = Journal::Blocks(Journal::MAX_BLOCKS)).unwrap();
    assert!(image.report.size > 40_000 * MIB);
    judge(&image);
}

#[test]
fn a_journal_out_of_bounds_or_larger_than_the_room_is_refused() {
    for blocks in [0, Journal::MIN_BLOCKS - 1, Journal::MAX_BLOCKS + 1, u64::MAX] {
        let error = exact(300 * MIB, |sizes| sizes.journal = Journal::Blocks(blocks)).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("4194304 to 41943040000 bytes"), "{error}");
    }
    match exact(64 * MIB, |sizes| sizes.journal = Journal::Blocks(16_384)).map(|image| image.report) {
        Err(Error::TooSmall { needed, size }) => {
            assert_eq!(size, 64 * MIB);
            let image = exact(needed, |sizes| sizes.journal = Journal::Blocks(16_384)).unwrap();
            assert_eq!(image.report.free_blocks, 0);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_journal_nothing_of_it_is_left() {
    let with = exact(150 * MIB, |_| {}).unwrap();
    let without = exact(150 * MIB, |sizes| sizes.journal = Journal::None).unwrap();
    assert_eq!(without.report.free_blocks, with.report.free_blocks + u64::from(with.report.journal_blocks));
    let fields = judge(&without);
    without.assert_repair_changes_nothing();
    if have("dumpe2fs") {
        assert!(!fields["Filesystem features"].contains("has_journal"));
        assert_eq!((fields.get("Journal inode"), fields.get("Journal backup")), (None, None));
    }
    write_in_kernel(&without);
}

#[test]
fn inodes_are_as_many_as_were_asked_for() {
    for (size, wanted, found) in [
        (150 * MIB, 100, 2 * 64),
        (150 * MIB, 16_384, 16_384),
        (150 * MIB, 65_536, 65_536),
        (150 * MIB, 20_000, 2 * 10_000),
        (9 * GIB, 12, 72 * 16),
        (9 * GIB, 1_000_000, 72 * 13_904),
    ] {
        let image = exact(size, |sizes| sizes.inodes = Some(wanted)).unwrap();
        assert_eq!(image.report.inode_count, found, "{wanted} inodes in {size} bytes");
        judge(&image);
    }
    let image = auto(|sizes| sizes.inodes = Some(100_000)).unwrap();
    assert!((100_000..131_072).contains(&image.report.inode_count), "{}", image.report.inode_count);
    judge(&image);
}

#[test]
fn impossible_numbers_of_inodes_are_refused_with_the_bounds() {
    for (wanted, least) in [(0, 12), (11, 12), (65_537, 12), (u64::MAX, 12)] {
        match exact(150 * MIB, |sizes| sizes.inodes = Some(wanted)).map(|image| image.report) {
            Err(Error::InodeCount { wanted: told, least: from, most: 65_536 }) => {
                assert_eq!((told, from), (wanted, least));
            }
            other => panic!("{wanted}: {other:?}"),
        }
    }
    let tables = exact(16 * MIB, |sizes| sizes.inodes = Some(32_768)).unwrap();
    assert_eq!(tables.report.inode_count, 32_768);
    let too_small = exact(12 * MIB, |sizes| sizes.inodes = Some(32_768)).map(|image| image.report);
    assert!(matches!(too_small, Err(Error::TooSmall { needed, .. }) if needed > 12 * MIB), "{too_small:?}");
}

#[test]
fn what_is_reserved_for_root_is_what_the_superblock_says() {
    let blocks = 150 * MIB / BLOCK_SIZE;
    for (reserved, expected) in [
        (Reserved::Share(500), blocks / 20),
        (Reserved::Share(5000), blocks / 2),
        (Reserved::Blocks(1), 1),
        (Reserved::Blocks(blocks / 2), blocks / 2),
    ] {
        let image = exact(150 * MIB, |sizes| sizes.reserved = reserved).unwrap();
        judge(&image);
        assert_eq!(image.report.reserved_blocks, expected);
    }
    let too_much = exact(150 * MIB, |sizes| sizes.reserved = Reserved::Blocks(blocks / 2 + 1)).map(|_| ());
    assert!(matches!(too_much, Err(Error::ReservedTooLarge { most, .. }) if most == 75 * MIB), "{too_much:?}");
    let image = auto(|sizes| sizes.reserved = Reserved::Blocks(GIB / BLOCK_SIZE)).unwrap();
    assert_eq!(image.report.size, 2 * GIB, "the size makes room for the reserve");
    judge(&image);
}

#[test]
fn growth_is_prepared_as_far_as_the_resize_inode_can_list() {
    let build = |max_size| {
        let sizes = Size::Exact(150 * MIB).into();
        build(&Layout { max_size, size_limit: Some(150 * MIB) }, sizes)
    };
    for (max_size, reserved_descriptors) in [(150 * MIB, None), (9 * GIB, Some("1")), (8200 * GIB, Some("1024"))] {
        let image = build(max_size).unwrap();
        let fields = judge(&image);
        if have("dumpe2fs") {
            assert_eq!(
                fields.get("Reserved GDT blocks").map(String::as_str),
                reserved_descriptors,
                "growth to {max_size}"
            );
        }
    }
    match build(8201 * GIB).map(|image| image.report) {
        Err(Error::GrowthTooLarge { size, most, .. }) => assert_eq!((size, most), (150 * MIB, 8200 * GIB)),
        other => panic!("{other:?}"),
    }
}
