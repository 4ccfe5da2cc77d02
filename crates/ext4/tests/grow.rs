//! Images that were grown, before e2fsck, an independent reader and `resize2fs`: sizes near every edge, within the
//! reserved descriptors and past them.

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use nex_ext4::{BLOCK_SIZE, Editor, Grown, Journal, Layout, Reserved, Size, Sizes, Tree};
use support::growth::{assert_content, image, open, prepared};
use support::recording::Recording;
use support::{Builder, GIB, MIB, assert_fsck_is_silent, e2fsck, have, pattern, text};

const GROUP: u64 = 32_768 * BLOCK_SIZE;
/// Bitmaps, table and what must be left of a last group, in bytes.
const LEAST: u64 = (2 + 512 + 50) * BLOCK_SIZE;

fn grow(path: &Path, size: u64) -> Grown {
    let grown = Editor::open(&open(path)).unwrap().grow(size).unwrap();
    assert_eq!(path.metadata().unwrap().len(), size);
    grown
}

/// What `dumpe2fs -h` says, by its labels.
fn header(path: &Path) -> BTreeMap<String, String> {
    let output = Command::new("dumpe2fs").env("LC_ALL", "C").arg("-h").arg(path).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let fields = said.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(label, value)| (label.to_owned(), value.trim().to_owned())).collect()
}

fn number(header: &BTreeMap<String, String>, label: &str) -> u64 {
    header.get(label).map_or(0, |value| value.parse().unwrap())
}

/// The report says what an independent reader of the superblock says.
fn assert_reported(path: &Path, grown: &Grown) {
    let header = header(path);
    assert_eq!(number(&header, "Block count"), grown.block_count);
    assert_eq!(number(&header, "Inode count"), u64::from(grown.inode_count));
    assert_eq!(number(&header, "Free blocks"), grown.free_blocks);
    assert_eq!(number(&header, "Free inodes"), u64::from(grown.free_inodes));
    assert_eq!(header["Filesystem state"], "clean");
}

fn assert_grown(path: &Path, grown: &Grown) {
    assert_fsck_is_silent(path);
    assert_reported(path, grown);
    assert_content(path);
}

#[test]
fn twice_sixteen_times_and_a_hundred_times_as_large() {
    for size in [64 * MIB, 150 * MIB, GIB] {
        for factor in [2, 16, 100] {
            assert_grows_by(size, factor);
        }
    }
}

#[test]
#[ignore = "slow: checks images of up to 900 GiB"]
fn large_ones_too() {
    for (size, factor) in [(9 * GIB, 2), (9 * GIB, 16), (9 * GIB, 100), (40 * GIB, 2), (40 * GIB, 16)] {
        assert_grows_by(size, factor);
    }
}

fn assert_grows_by(size: u64, factor: u64) {
    let image = prepared(size);
    let grown = grow(&image.path(), factor * size);
    assert_grown(&image.path(), &grown);
    let ratio = grown.block_count.div_ceil(32_768) * 8192;
    assert_eq!(u64::from(grown.inode_count), ratio, "the inode ratio is kept");
}

#[test]
#[ignore = "slow: checks dozens of images of up to 300 GiB"]
fn past_the_reserve_the_descriptors_stand_in_their_metagroups() {
    // Prepared for 8 GiB, one block of descriptors; for 16 GiB, two; and sizes in the second metagroup and far beyond.
    for (size, max_size) in [(64 * MIB, 0), (150 * MIB, 16 * GIB), (9 * GIB, 0)] {
        for new in [9 * GIB + 200 * MIB, 16 * GIB, 16 * GIB + 600 * MIB, 24 * GIB + 7 * GROUP, 300 * GIB] {
            if new > size {
                let image = image(size, max_size);
                let grown = grow(&image.path(), new);
                assert_grown(&image.path(), &grown);
                let header = header(&image.path());
                let past = new.div_ceil(64 * GROUP) > max_size.max(size).div_ceil(64 * GROUP);
                assert_eq!(header["Filesystem features"].contains("meta_bg"), past, "{size} to {new}");
                assert_eq!(header["Filesystem features"].contains("resize_inode"), !past, "{size} to {new}");
            }
        }
    }
}

#[test]
#[ignore = "slow: checks dozens of images of up to 20 GiB"]
fn it_does_not_matter_in_how_many_steps_it_grows() {
    for max_size in [0, 256 * GIB] {
        let (once, stepwise) = (image(64 * MIB, max_size), image(64 * MIB, max_size));
        let end = 20 * GIB;
        grow(&once.path(), end);
        for size in [65 * MIB, 2 * GROUP, 2 * GROUP + LEAST, 8 * GIB, 8 * GIB + GROUP / 2, end] {
            let grown = grow(&stepwise.path(), size);
            assert_grown(&stepwise.path(), &grown);
        }
        let (mut once, mut stepwise) = (header(&once.path()), header(&stepwise.path()));
        // Each step is a transaction of its own.
        for changed in ["Journal sequence", "Journal checksum"] {
            assert_ne!(once.remove(changed), stepwise.remove(changed));
        }
        assert_eq!(once, stepwise);
    }
}

#[test]
fn every_size_near_an_edge_is_clean() {
    let image = prepared(64 * MIB);
    for groups in [1, 2, 3, 4, 8, 9, 16, 17, 32, 64, 65] {
        let edge = groups * GROUP;
        for size in [
            edge - BLOCK_SIZE,
            edge,
            edge + BLOCK_SIZE,
            edge + LEAST - BLOCK_SIZE,
            edge + LEAST,
            edge + LEAST + 33 * BLOCK_SIZE,
        ] {
            let copy = image.copy();
            let grown = grow(&copy, size);
            assert_fsck_is_silent(&copy);
            assert_reported(&copy, &grown);
            assert!(size - grown.block_count * BLOCK_SIZE < LEAST + 33 * BLOCK_SIZE);
        }
    }
}

/// What must be equal whoever grows a file system.
const EQUAL: [&str; 8] = [
    "Block count",
    "Inode count",
    "Reserved block count",
    "Free blocks",
    "Free inodes",
    "Reserved GDT blocks",
    "Inodes per group",
    "Filesystem features",
];

#[test]
fn the_counts_are_those_of_resize2fs() {
    if !have("e2fsck") {
        return;
    }
    for (size, new) in [
        (64 * MIB, 128 * MIB),
        (64 * MIB, GIB),
        (150 * MIB, 2400 * MIB),
        (150 * MIB, 9 * GIB + 5 * MIB),
        (GIB, 100 * GIB),
        (9 * GIB, 20 * GIB),
    ] {
        let image = prepared(size);
        let theirs = image.copy();
        open(&theirs).set_len(new).unwrap();
        let output = Command::new("resize2fs").arg("-f").arg(&theirs).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        grow(&image.path(), new);
        let (ours, theirs) = (header(&image.path()), header(&theirs));
        for label in EQUAL {
            assert_eq!(ours.get(label), theirs.get(label), "{label} of {size} grown to {new}");
        }
    }
}

#[test]
fn resize2fs_grows_further() {
    for (max_size, new) in [(256 * GIB, 300 * MIB), (256 * GIB, 9 * GIB), (0, 9 * GIB), (0, 17 * GIB)] {
        let image = image(150 * MIB, max_size);
        grow(&image.path(), new);
        open(&image.path()).set_len(2 * new).unwrap();
        let output = Command::new("resize2fs").arg("-f").arg(image.path()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert_fsck_is_silent(&image.path());
        assert_content(&image.path());
        // And on top of that by us again.
        let grown = grow(&image.path(), 5 * new);
        assert_grown(&image.path(), &grown);
    }
}

#[test]
#[ignore = "slow: each repair reads all inode tables"]
fn every_backup_restores_the_front() {
    for (max_size, new, groups) in [(256 * GIB, 10 * GIB, [1, 9, 49]), (0, 9 * GIB, [1, 3, 27])] {
        let image = image(150 * MIB, max_size);
        grow(&image.path(), new);
        // The superblock and what was reserved behind it; with no reserve, files stand there.
        let lost = if max_size == 0 { 2 } else { 33 };
        let front = vec![0; lost * BLOCK_SIZE as usize];
        for group in groups {
            let copy = image.copy();
            open(&copy).write_all_at(&front, 0).unwrap();
            let output = e2fsck(&["-fy", "-B", "4096", "-b", &(group * 32_768).to_string()], &copy);
            assert_eq!(output.status.code(), Some(1), "group {group}: {}", text(&output));
            assert_fsck_is_silent(&copy);
            assert_content(&copy);
            assert_eq!(number(&header(&copy), "Block count"), new / BLOCK_SIZE);
        }
    }
}

#[test]
fn file_systems_with_other_parts_and_features_grow_too() {
    let usual = Sizes::from(Size::Exact(150 * MIB));
    let others = [
        Sizes { journal: Journal::None, ..usual },
        Sizes { journal: Journal::Blocks(8192), ..usual },
        Sizes { inodes: Some(60_000), ..usual },
        Sizes { reserved: Reserved::Share(500), ..usual },
    ];
    for (sizes, max_size) in others.into_iter().flat_map(|sizes| [(sizes, 0), (sizes, 64 * GIB)]) {
        let mut builder = Builder::new(&Layout { max_size, size_limit: Some(150 * MIB) });
        builder.add_file(Tree::ROOT, "file", &pattern(1, 3 << 20));
        let image = builder.finish(sizes);
        // A directory that needs the feature has millions of names.
        let mut debugfs = Command::new("debugfs");
        assert!(debugfs.args(["-w", "-R", "feature large_dir"]).arg(image.path()).output().unwrap().status.success());
        let before = header(&image.path());
        let grown = grow(&image.path(), 10 * GIB);
        assert_fsck_is_silent(&image.path());
        assert_reported(&image.path(), &grown);
        let after = header(&image.path());
        assert!(after["Filesystem features"].contains("large_dir"));
        for kept in ["Inodes per group", "Filesystem UUID", "Filesystem volume name", "Total journal blocks"] {
            assert_eq!(before.get(kept), after.get(kept), "{kept}");
        }
        assert_eq!(grown.reserved_blocks > 0, sizes.reserved != Reserved::default());
    }
}

#[test]
fn a_repair_changes_nothing() {
    let image = prepared(64 * MIB);
    grow(&image.path(), 300 * MIB);
    image.assert_repair_changes_nothing();
    // Too large to compare byte by byte: the exit code says that nothing changed.
    for max_size in [0, 256 * GIB] {
        let image = self::image(64 * MIB, max_size);
        grow(&image.path(), 9 * GIB);
        let output = e2fsck(&["-fy"], &image.path());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
}

#[test]
fn the_same_growth_writes_the_same_bytes() {
    for max_size in [0, 256 * GIB] {
        let record = || {
            let recording = Recording::new(open(&image(64 * MIB, max_size).path()));
            Editor::open(&recording).unwrap().grow(9 * GIB).unwrap();
            format!("{:?}", recording.into_events())
        };
        assert!(record() == record());
    }
}

#[test]
fn a_size_that_brings_no_group_lengthens_the_file_only() {
    let image = prepared(128 * MIB);
    for size in [128 * MIB, 129 * MIB] {
        let grown = grow(&image.path(), size);
        assert_eq!((grown.block_count, grown.old_block_count), (32_768, 32_768));
        assert_grown(&image.path(), &grown);
    }
    let grown = grow(&image.path(), 130 * MIB + LEAST);
    assert_eq!(grown.block_count, (130 * MIB + LEAST) / BLOCK_SIZE);
    assert_grown(&image.path(), &grown);
}

#[test]
fn what_stood_behind_the_end_is_gone() {
    let image = prepared(64 * MIB);
    let stale = pattern(9, 200 << 20);
    open(&image.path()).write_all_at(&stale, 64 * MIB).unwrap();
    let grown = Editor::open(&open(&image.path())).unwrap().grow(200 * MIB).unwrap();
    assert_eq!((grown.size, image.path().metadata().unwrap().len()), (264 * MIB, 264 * MIB), "the file is not cut");
    assert_grown(&image.path(), &grown);
    assert!(image.path().metadata().unwrap().blocks() * 512 < 16 * MIB);
}
