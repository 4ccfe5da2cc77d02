//! What only an artificial limit shows at a reasonable cost.

use std::os::unix::fs::FileExt;

use nex_testkit::fsck;
use nex_testkit::kernel::{self, Access, Mount};

use super::*;
use crate::options::Size;
use crate::reader::{self, Reader};

/// A deep index takes millions of names unless its blocks are left half empty.
const NARROW: FanOut = FanOut { root: 3, node: 4 };

fn options() -> Options {
    let sizes = Size::Auto { free: None }.into();
    Options {
        sizes,
        uuid: *b"\x01\x23\x45\x67\x89\xab\x4d\xef\x81\x23\x45\x67\x89\xab\xcd\xef",
        hash_seed: [7; 16],
        label: [0; 16],
        time: 0,
    }
}

/// A directory with these names for one inode, in a file system whose indexes have narrow blocks.
fn narrow(names: &[String]) -> Result<tempfile::NamedTempFile, Error> {
    let metadata = Metadata { mode: 0o755, uid: 0, gid: 0, time: Timestamp::default() };
    let mut tree = Tree::new(metadata);
    let fifo = tree.add(Inode { metadata, kind: Kind::Fifo, xattrs: Box::default() });
    let names = names.iter().map(|name| (name.as_bytes().into(), fifo)).collect();
    let directory = tree.add(Inode { metadata, kind: Kind::Directory(names), xattrs: Box::default() });
    tree.directory_mut(Tree::ROOT).unwrap().insert(b"d"[..].into(), directory);
    let image = tempfile::NamedTempFile::new().unwrap();
    let file = image.reopen().unwrap();
    Writer::new(file, &Layout::default())?.finish_with(&tree, &options(), NARROW)?;
    Ok(image)
}

fn names(count: u32) -> Vec<String> {
    (0..count).map(|i| format!("{i:0>255}")).collect()
}

/// `s_feature_incompat` with `large_dir`.
fn has_large_dir(image: &tempfile::NamedTempFile) -> bool {
    const LARGE_DIR: u32 = 0x4000;
    let mut features = [0; 4];
    image.as_file().read_exact_at(&mut features, 1024 + 0x60).unwrap();
    u32::from_le_bytes(features) & LARGE_DIR != 0
}

/// The reader finds each name by the index.
fn assert_reader_finds(image: &tempfile::NamedTempFile, names: &[String]) {
    let reader = Reader::open(image.reopen().unwrap(), reader::Options::default()).unwrap();
    let directory = reader.stat(b"/d").unwrap().unwrap();
    for name in names {
        assert!(
            reader.lookup(&directory, name.as_bytes()).unwrap().is_some(),
            "{name} of {} is not found",
            names.len()
        );
    }
    assert_eq!(reader.lookup(&directory, b"absent").unwrap(), None);
    assert_eq!(reader.list(&directory).unwrap().len(), names.len());
}

#[test]
fn a_third_level_is_found_by_the_kernel_and_takes_large_dir() {
    // A leaf gets 13 names: 12 leaves fill two levels, 48 three.
    for (count, is_deep) in [(12 * 13, false), (12 * 13 + 1, true), (48 * 13, true)] {
        let names = names(count);
        let image = narrow(&names).unwrap();
        fsck::judge(image.path()).unwrap();
        assert_eq!(has_large_dir(&image), is_deep, "{count} names");
        assert_reader_finds(&image, &names);
        if !kernel::is_available() {
            continue;
        }
        let mount = Mount::new(image.path(), Access::ReadWrite).unwrap();
        let directory = mount.path().join("d");
        for name in &names {
            assert!(directory.join(name).symlink_metadata().is_ok(), "{name} of {count} is not found");
        }
        assert!(!directory.join("absent").exists());
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), names.len());
        for i in 0..500 {
            std::fs::write(directory.join(format!("new {i}")), "").unwrap();
        }
        std::fs::remove_file(directory.join(&names[0])).unwrap();
        mount.unmount().unwrap();
        fsck::check(image.path()).unwrap();
    }
}

#[test]
fn more_names_than_three_levels_hold_are_refused() {
    match narrow(&names(48 * 13 + 1)) {
        Err(Error::DirectoryTooLarge { path, names: 625 }) => assert_eq!(path.to_string(), "/d"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn e2fsck_objects_to_a_third_level_without_the_feature() {
    use crate::superblock::{self, Superblock, incompat};
    let image = narrow(&names(48 * 13)).unwrap();
    let mut record = [0; superblock::SIZE];
    image.as_file().read_exact_at(&mut record, superblock::PRIMARY_OFFSET).unwrap();
    let (mut superblock, _) = Superblock::decode(&record);
    superblock.incompat &= !incompat::LARGE_DIR;
    image.as_file().write_all_at(&superblock.encode(0), superblock::PRIMARY_OFFSET).unwrap();
    let complaint = fsck::check(image.path()).unwrap_err().to_string();
    assert!(complaint.contains("HTREE"), "{complaint}");
}
