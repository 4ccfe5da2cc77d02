//! Directories of every size, judged by e2fsck and by a reader that finds each name through the index.

mod support;

use ext4_view::{Ext4, Path, PathBuf};
use nex_ext4::{InodeId, Kind, Layout, Size, Tree};
use nex_testkit::kernel::{self, Access, Mount};
use support::{Builder, Image, MIB, assert_fsck_is_silent, debugfs, have};

const ROOM: Size = Size::Auto { free: Some(8 * MIB) };

/// A directory in the root with these names, all for one inode.
fn add_names(builder: &mut Builder, directory: &str, names: impl IntoIterator<Item = impl AsRef<[u8]>>) -> InodeId {
    let parent = builder.add_directory(Tree::ROOT, directory);
    let mut file = None;
    for name in names {
        match file {
            Some(file) => builder.link(parent, name, file),
            None => file = Some(builder.add(parent, name, Kind::Fifo)),
        }
    }
    parent
}

/// Asserts that the reader, which follows the index, finds each name.
fn assert_finds(image: &Image, directory: &str, names: impl IntoIterator<Item = impl AsRef<[u8]>>) {
    let ext4 = Ext4::load_from_path(image.path()).unwrap();
    let directory = PathBuf::try_from(directory).unwrap();
    for name in names {
        let path = directory.join(Path::new(name.as_ref()));
        assert!(ext4.symlink_metadata(&path).is_ok(), "{path:?} is not found");
    }
    let absent = directory.join("a name that nobody gave");
    assert!(!ext4.exists(&absent).unwrap());
}

/// How many blocks a directory has, and whether it is indexed.
fn shape(image: &Image, directory: &str) -> (u64, bool) {
    let size = Ext4::load_from_path(image.path()).unwrap().symlink_metadata(directory).unwrap().len();
    let shown = debugfs(&image.path(), &format!("stat {directory}"));
    let (_, flags) = shown.split_once("Flags: 0x").unwrap();
    let flags = u32::from_str_radix(flags.split_whitespace().next().unwrap(), 16).unwrap();
    (size / 4096, flags & 0x1000 != 0)
}

#[test]
fn a_directory_is_indexed_from_its_second_block_on() {
    // A block has 4,084 bytes, `.` and `..` take 24, and each of these names 16: 253 fit.
    let names = |count| (0..count).map(|i| format!("{i:08}"));
    let mut builder = Builder::new(&Layout::default());
    for count in [0, 253, 254, 600] {
        add_names(&mut builder, &format!("names-{count}"), names(count));
    }
    let image = builder.finish(ROOM);
    image.assert_clean();
    for (count, blocks) in [(0, 1), (253, 1), (254, 3), (600, 4)] {
        let directory = format!("/names-{count}");
        assert_finds(&image, &directory, names(count));
        if have("debugfs") {
            assert_eq!(shape(&image, &directory), (blocks, blocks > 1), "{directory}");
        }
    }
}

#[test]
fn names_of_any_bytes_and_of_255_are_found() {
    let long = |i: u32| format!("{i:0>255}").into_bytes();
    let odd = |i: u32| [&[0xff, 0x80, b'\n'], i.to_string().as_bytes(), &[0xc3, 0xfe]].concat();
    let mut builder = Builder::new(&Layout::default());
    add_names(&mut builder, "long", (0..10_000).map(long));
    add_names(&mut builder, "odd", (0..10_000).map(odd));
    let image = builder.finish(ROOM);
    image.assert_clean();
    assert_finds(&image, "/long", (0..10_000).map(long));
    assert_finds(&image, "/odd", (0..10_000).map(odd));
}

/// Directories with these names among more and more others, so that the edge between two leaves passes through them.
fn among_others(names: &[String], other_length: usize) -> (Image, Vec<String>) {
    let mut builder = Builder::new(&Layout::default());
    let mut directories = Vec::new();
    for count in 40..120 {
        let others = (0..count).map(|i| format!("{i:0>other_length$}"));
        directories.push(format!("/among-{count}"));
        add_names(&mut builder, &directories.last().unwrap()[1..], others.chain(names.iter().cloned()));
    }
    let image = builder.finish(ROOM);
    image.assert_clean();
    (image, directories)
}

/// In how many of the directories a leaf begins with this hash.
fn leaves_that_begin_with(hash: &str, image: &Image, directories: &[String]) -> usize {
    let begins = |directory: &&String| debugfs(&image.path(), &format!("htree_dump {directory}")).contains(hash);
    directories.iter().filter(begins).count()
}

#[test]
fn names_with_the_same_hash_stay_in_one_leaf() {
    // They hash to 0x7a84fc80 with the tests' seed; 24 others leave room for one of the two.
    let twins = ["n135609", "n99864"].map(String::from);
    let (image, directories) = among_others(&twins, 140);
    for directory in &directories {
        assert_finds(&image, directory, &twins);
    }
    assert_eq!(leaves_that_begin_with("Hash 0x7a84fc81", &image, &directories), 0);
}

#[test]
fn names_with_the_same_hash_that_no_leaf_holds_are_found_in_the_next() {
    // They hash to 0x4c25d8f2 with the tests' seed; 25 others leave room for two of the three, reserve included.
    let triplets = [3_871_959, 4_014_944, 5_618_049].map(|i| format!("{i:0>255}"));
    let (image, directories) = among_others(&triplets, 124);
    if have("debugfs") {
        assert!(leaves_that_begin_with("Hash 0x4c25d8f3", &image, &directories) > 0);
    }
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadOnly).unwrap();
    for directory in &directories {
        for name in &triplets {
            assert!(mount.path().join(&directory[1..]).join(name).symlink_metadata().is_ok(), "{directory}/{name}");
        }
    }
    mount.unmount().unwrap();
}

#[test]
fn subdirectories_past_the_link_limit_are_all_found() {
    let name = |i: u32| format!("{i}");
    let mut builder = Builder::new(&Layout::default());
    let parent = builder.add_directory(Tree::ROOT, "many");
    (0..70_000).for_each(|i| _ = builder.add_directory(parent, name(i)));
    let image = builder.finish(ROOM);
    image.assert_clean();
    assert_finds(&image, "/many", (0..70_000).map(name));
    if have("debugfs") {
        assert!(debugfs(&image.path(), "stat /many").contains("Links: 1 "));
    }
}

/// Gives the directory so many names, for as few inodes as can have them.
fn add_many(builder: &mut Builder, parent: InodeId, names: impl Iterator<Item = String>) {
    const LINKS: usize = 65_000;
    let mut file = None;
    for (place, name) in names.enumerate() {
        match file {
            Some(file) if place % LINKS != 0 => builder.link(parent, name, file),
            _ => file = Some(builder.add(parent, name, Kind::Fifo)),
        }
    }
}

#[test]
fn a_million_names_take_seconds() {
    const NAMES: u32 = 1_000_000;
    let name = |i: u32| format!("{i:0>16}");
    let mut builder = Builder::new(&Layout::default());
    let parent = builder.add_directory(Tree::ROOT, "million");
    add_many(&mut builder, parent, (0..NAMES).map(name));
    let start = std::time::Instant::now();
    let image = builder.finish(ROOM);
    eprintln!("{NAMES} names were written in {:?}", start.elapsed());
    assert!(start.elapsed().as_secs() < 30, "far more than linear");
    image.assert_clean();
    assert_finds(&image, "/million", (0..NAMES).step_by(997).map(name));
}

#[test]
#[ignore = "slow: more names than two levels of index hold, a file system of more than 1 GiB"]
fn names_past_two_levels_of_index_are_found() {
    // A leaf gets 13 names, or a few more where these hash alike, and two levels hold 258,570 leaves.
    const NAMES: u32 = 3_400_000;
    let name = |i: u32| format!("{i:0>255}");
    let mut builder = Builder::new(&Layout::default());
    let parent = builder.add_directory(Tree::ROOT, "deep");
    add_many(&mut builder, parent, (0..NAMES).map(name));
    let start = std::time::Instant::now();
    let image = builder.finish(ROOM);
    eprintln!("{NAMES} names were written in {:?}", start.elapsed());
    assert_fsck_is_silent(&image.path());
    if have("debugfs") {
        assert!(debugfs(&image.path(), "features").contains("large_dir"));
    }
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadOnly).unwrap();
    for i in (0..NAMES).step_by(99_991) {
        assert!(mount.path().join("deep").join(name(i)).symlink_metadata().is_ok(), "name {i} is not found");
    }
    mount.unmount().unwrap();
}
