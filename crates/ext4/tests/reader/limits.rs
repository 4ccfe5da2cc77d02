//! What is refused by name, and what has a bound.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_ext4::reader::{Budget, Error, Options, Reader, Recovery};
use nex_ext4::{Device, Timestamp};

use crate::tree::{debugfs, mke2fs, open, pattern};

fn image(directory: &Path, options: &[&str]) -> PathBuf {
    let (source, image) = (directory.join("source"), directory.join("image"));
    fs::create_dir_all(source.join("directory")).unwrap();
    fs::write(source.join("directory/file"), pattern(1, 300_000)).unwrap();
    for number in 0..500 {
        fs::write(source.join(format!("directory/{number}")), b"").unwrap();
    }
    std::os::unix::fs::symlink("directory/file", source.join("link")).unwrap();
    mke2fs(&image, options, Some(&source));
    image
}

#[test]
fn features_that_are_not_known_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let image = image(directory.path(), &["-O", "^metadata_csum"]);
    for (incompat, what) in [
        (0x12c2_u32, "the feature dirdata"),
        (0x2c3, "the feature compression"),
        (0x8020_02c2, "the incompat feature 0x200000, the incompat feature 0x80000000"),
    ] {
        let file = File::options().write(true).open(&image).unwrap();
        file.write_all_at(&incompat.to_le_bytes(), 1024 + 0x60).unwrap();
        let error = open(&image).err().unwrap();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        assert_eq!(error.to_string(), format!("it has {what}, which nex cannot read"));
    }
}

#[test]
fn a_journal_that_waits_for_its_replay_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let image = image(directory.path(), &[]);
    assert!(!open(&image).unwrap().superblock().needs_recovery());
    debugfs(&image, "feature needs_recovery");
    let reader = open(&image).unwrap();
    assert!(reader.superblock().needs_recovery());
    assert!(matches!(reader.recovery(), Recovery::Done), "{:?}", reader.recovery());
    assert!(reader.stat(b"/directory/file").unwrap().is_some());
}

#[test]
fn what_is_encrypted_stays_closed() {
    const ENCRYPT_FL: u32 = 0x800;
    let directory = tempfile::tempdir().unwrap();
    let image = image(directory.path(), &["-O", "encrypt,^metadata_csum"]);
    for path in ["/directory/file", "/link", "/directory"] {
        let reader = open(&image).unwrap();
        let inode = reader.lstat(path.as_bytes()).unwrap().unwrap();
        debugfs(&image, &format!("set_inode_field {path} flags {:#x}", inode.flags | ENCRYPT_FL));
        let inode = reader.inode(inode.number).unwrap();
        let error = match path {
            "/link" => reader.read_link(&inode).unwrap_err(),
            "/directory" => reader.list(&inode).unwrap_err(),
            _ => reader.content(&inode, 1).unwrap_err(),
        };
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("encrypt"), "{error}");
    }
    assert!(matches!(open(&image).unwrap().stat(b"/directory/file"), Err(Error::Unsupported { .. })));
}

#[test]
fn each_part_of_the_budget_ends_the_work() {
    let directory = tempfile::tempdir().unwrap();
    let image = image(directory.path(), &[]);
    let ask = |budget: Budget| -> Result<Vec<u8>, Error> {
        let reader = Reader::open(File::open(&image).unwrap(), Options { budget, ..Options::default() })?;
        let directory = reader.stat(b"/directory")?.unwrap();
        reader.list(&directory)?;
        reader.content(&reader.stat(b"/link")?.unwrap(), u64::MAX)
    };
    assert_eq!(ask(Budget::default()).unwrap(), pattern(1, 300_000));
    assert_eq!(ask(Budget::UNLIMITED).unwrap().len(), 300_000);
    for (budget, what) in [
        (Budget { bytes: 290_000, ..Budget::default() }, "more than 290000 bytes"),
        (Budget { structures: 8, ..Budget::default() }, "more than 8 inodes and blocks of metadata"),
        (Budget { names: 499, ..Budget::default() }, "more than 499 names"),
        (Budget { listed: 30_000, ..Budget::default() }, "more than 30000 bytes of listed names"),
    ] {
        let error = ask(budget).unwrap_err();
        assert!(matches!(error, Error::OverBudget { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn names_that_are_not_wanted_cost_no_memory() {
    let directory = tempfile::tempdir().unwrap();
    let image = image(directory.path(), &[]);
    let budget = Budget { listed: 1000, ..Budget::default() };
    let reader = Reader::open(File::open(&image).unwrap(), Options { budget, ..Options::default() }).unwrap();
    let directory = reader.stat(b"/directory").unwrap().unwrap();
    let wanted = reader.list_matching(&directory, &|name| name.ends_with(b"77")).unwrap();
    let mut wanted: Vec<_> = wanted.into_iter().map(|entry| entry.name).collect();
    wanted.sort();
    assert_eq!(wanted.iter().map(|name| &**name).collect::<Vec<_>>(), [&b"177"[..], b"277", b"377", b"477", b"77"]);
    assert!(matches!(reader.list(&directory), Err(Error::OverBudget { limit: 1000, .. })));
}

#[test]
fn a_directory_has_no_block_twice() {
    let directory = tempfile::tempdir().unwrap();
    let image = image(directory.path(), &["-b", "1024", "-O", "^extents,^dir_index,^metadata_csum,^64bit"]);
    let list = || {
        let reader = open(&image).unwrap();
        reader.list(&reader.stat(b"/directory").unwrap().unwrap())
    };
    assert_eq!(list().unwrap().len(), 501);
    let blocks = Command::new("debugfs").args(["-R", "blocks /directory"]).arg(&image).output().unwrap().stdout;
    let blocks = String::from_utf8(blocks).unwrap();
    let first = blocks.split_whitespace().next().unwrap();
    debugfs(&image, &format!("set_inode_field /directory block[3] {first}"));
    let error = list().unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(error.to_string().ends_with("has one block in two places"), "{error}");
}

#[test]
fn what_no_file_holds_is_told_of_inodes() {
    let directory = tempfile::tempdir().unwrap();
    let image = image(directory.path(), &["-O", "project"]);
    for (field, value) in [
        ("crtime", "@1700000000"),
        ("atime", "@1600000000"),
        ("projid", "4000000000"),
        ("generation", "77"),
        ("mode", "020600"),
        ("flags", "0"),
        ("block[0]", "0"),
        ("block[1]", "0x10303"),
    ] {
        debugfs(&image, &format!("set_inode_field /directory/0 {field} {value}"));
    }
    let device = open(&image).unwrap().stat(b"/directory/0").unwrap().unwrap();
    assert_eq!(device.created, Some(Timestamp { seconds: 1_700_000_000, nanoseconds: 0 }));
    assert_eq!(device.accessed, Timestamp { seconds: 1_600_000_000, nanoseconds: 0 });
    assert_eq!((device.project, device.generation), (4_000_000_000, 77));
    assert_eq!(device.device, Some(Device { major: 259, minor: 3 }));
    assert!(open(&image).unwrap().stat(b"/directory/file").unwrap().unwrap().allocated >= 300_000);
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let image = image(directory.path(), &[]);
    let file = File::options().write(true).open(&image).unwrap();
    file.set_len(255 << 20).unwrap();
    assert!(matches!(open(&image), Err(Error::CutOff { length, size }) if (length, size) == (255 << 20, 256 << 20)));
    file.set_len(2047).unwrap();
    assert!(matches!(open(&image), Err(Error::NotExt4)));
    let journal = directory.path().join("journal");
    nex_testkit::command::run(Command::new("mke2fs").args(["-q", "-F", "-O", "journal_dev"]).arg(&journal).arg("8M"))
        .unwrap();
    assert!(matches!(open(&journal), Err(Error::JournalDevice)));
}
