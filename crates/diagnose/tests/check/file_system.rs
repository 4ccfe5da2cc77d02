//! The file system itself.

use std::fs::{self, File};
use std::process::Command;

use nex_diagnose::{CheckOptions, Verdict, check};
use nex_fault::Setting;
use nex_inspect::RootFs;
use nex_testkit::command;

use crate::tree::{Tree, checked, debugfs, evidence, expect, ids};

#[test]
fn what_is_no_ext4() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("image");
    fs::write(&path, vec![0; 4096]).expect("writable");
    expect(&checked(&path), &["not-ext4"]);
    assert_eq!(checked(&path).verdict(), Verdict::Failing);
}

#[test]
fn a_directory_that_has_a_block_twice() {
    let mut tree = Tree::openrc();
    for number in 0..300 {
        tree = tree.file(&format!("etc/ssh/a-file-that-is-no-key-{number}"), "");
    }
    let image = tree.image(&["-O", "^extents,^dir_index,^metadata_csum,^64bit"]);
    expect(&checked(&image), &[]);
    let blocks = Command::new("debugfs").args(["-R", "blocks /etc/ssh"]).arg(&image).output().expect("debugfs").stdout;
    let blocks = String::from_utf8(blocks).expect("numbers");
    let first = blocks.split_whitespace().next().expect("a block");
    debugfs(&image, &format!("set_inode_field /etc/ssh block[1] {first}"));
    let report = checked(&image);
    assert!(evidence(&report, "ext4-damaged").ends_with("has one block in two places"), "{report:?}");
}

#[test]
fn what_it_is_instead() {
    let directory = tempfile::tempdir().expect("a directory");
    for (program, arguments, what) in [
        ("mkfs.btrfs", &["-q"][..], "btrfs"),
        ("mkfs.xfs", &["-q"], "XFS"),
        ("mkswap", &["-q"], "swap"),
        ("tar", &["-cPf"], "nex rootfs --image tar:FILE"),
    ] {
        let path = directory.path().join(program);
        File::create(&path).and_then(|file| file.set_len(512 << 20)).expect("writable");
        let mut maker = Command::new(program);
        maker.args(arguments).arg(&path);
        if program == "tar" {
            maker.arg("/etc/passwd");
        }
        command::run(&mut maker).expect("a file");
        let report = checked(&path);
        let [finding] = &report.findings[..] else { panic!("{report:?}") };
        let told = format!("{}; {}", finding.evidence, finding.remedy.words(Setting::flag));
        assert!(finding.id == "not-ext4" && told.contains(what), "{program}: {told}");
    }
}

#[test]
fn what_is_cut_off() {
    let tree = Tree::busybox();
    let image = tree.image(&[]);
    File::options().write(true).open(&image).and_then(|file| file.set_len(10 << 20)).expect("writable");
    expect(&checked(&image), &["ext4-cut-off"]);
}

#[test]
fn damage_is_not_taken_for_absence() {
    let tree = Tree::busybox();
    let image = tree.image(&[]);
    debugfs(&image, "set_inode_field /etc checksum 0x1234");
    expect(&checked(&image), &["ext4-damaged"]);
    let fsck = command::output(Command::new("e2fsck").arg("-fn").arg(&image)).expect("e2fsck");
    assert_ne!(fsck.status.code(), Some(0));
}

#[test]
fn features_that_no_kernel_knows() {
    let tree = Tree::busybox();
    let image = tree.image(&[]);
    debugfs(&image, "set_super_value feature_ro_compat 0x4046b");
    let report = checked(&image);
    assert_eq!(ids(&report), ["ext4-feature"]);
    assert!(evidence(&report, "ext4-feature").contains("ro_compat feature 0x40000"));
}

#[test]
fn features_that_the_reader_does_not_know_leave_the_rest_open() {
    let tree = Tree::busybox();
    for (incompat, what) in
        [("0x12c2", "it has the feature dirdata"), ("0x2002c2", "it has the incompat feature 0x200000")]
    {
        let image = tree.image(&[]);
        debugfs(&image, &format!("set_super_value feature_incompat {incompat}"));
        let report = checked(&image);
        assert_eq!(ids(&report), ["ext4-feature"], "{incompat}");
        assert!(report.unchecked[0].why.starts_with(what), "{:?}", report.unchecked);
    }
}

#[test]
fn forms_that_are_rare_and_right() {
    let tree = Tree::busybox();
    for options in [
        // A group of clusters has more blocks than a block has bits.
        ["-O", "bigalloc"],
        ["-O", "^64bit,^metadata_csum"],
        ["-O", "^extent,^64bit"],
        ["-O", "^has_journal,^resize_inode"],
        ["-b", "1024"],
        ["-G", "1"],
        ["-I", "1024"],
        ["-O", "inline_data"],
        ["-O", "casefold,ea_inode"],
        ["-O", "meta_bg,^resize_inode"],
        ["-O", "^filetype"],
        // Such inodes are too small for all of a checksum, and for years after 2038.
        ["-I", "128"],
    ] {
        expect(&checked(&tree.image(&options)), &[]);
    }
}

#[test]
fn a_superblock_that_no_kernel_takes() {
    let tree = Tree::busybox();
    for (field, value) in [("blocks_per_group", "65536"), ("inode_size", "0"), ("inode_size", "192")] {
        let image = tree.image(&[]);
        debugfs(&image, &format!("set_super_value {field} {value}"));
        let report = checked(&image);
        assert!(evidence(&report, "ext4-damaged").contains(&format!("s_{field}")), "{report:?}");
    }
}

#[test]
fn a_journal_without_its_file_system() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal");
    command::run(Command::new("mke2fs").args(["-q", "-F", "-O", "journal_dev"]).arg(&path).arg("8M")).expect("mke2fs");
    assert!(evidence(&checked(&path), "not-ext4").contains("journal"));
}

#[test]
fn blocks_larger_than_pages() {
    let tree = Tree::busybox();
    let image = tree.image(&["-b", "16384"]);
    expect(&checked(&image), &["ext4-block-size"]);
}

#[test]
fn a_journal_that_waits_for_its_replay() {
    let tree = Tree::busybox();
    let image = tree.image(&[]);
    debugfs(&image, "set_super_value feature_incompat 0x2c6");
    let report = checked(&image);
    assert_eq!(ids(&report), ["ext4-journal-dirty"], "{report:?}");
    assert_eq!((report.verdict(), report.unchecked), (Verdict::Sound, Vec::new()));
    command::run(Command::new("e2fsck").args(["-p", "-f"]).arg(&image)).expect("e2fsck repairs it");
    expect(&checked(&image), &[]);
}

/// What the kernel would find after a mount is what is checked.
#[test]
fn what_waits_in_the_journal_is_checked() {
    let tree = Tree::busybox();
    let image = tree.image(&["-b", "1024"]);
    let inode = command::run(Command::new("debugfs").args(["-R", "imap /etc"]).arg(&image)).expect("debugfs");
    let told = String::from_utf8_lossy(&inode);
    let (_, place) = told.split_once("located at block ").expect("a place");
    let block: u64 = place.split(|c: char| !c.is_ascii_digit()).next().and_then(|text| text.parse().ok()).expect("one");
    let bytes = fs::read(&image).expect("readable");
    let right = image.with_extension("right");
    fs::write(&right, &bytes[block as usize * 1024..][..1024]).expect("writable");
    // On the disk the directory is damaged; in the journal it is not.
    debugfs(&image, "set_inode_field /etc checksum 0x1234");
    expect(&checked(&image), &["ext4-damaged"]);
    let request = format!("jo -c\njw -b {block} {}\njc\n", right.display());
    write_journal(&image, &request);
    let report = checked(&image);
    assert_eq!(ids(&report), ["ext4-journal-dirty"], "{report:?}");
    assert_eq!((report.verdict(), report.unchecked), (Verdict::Sound, Vec::new()));
    // The journal of a checksum that is wrong is left alone.
    let mut bytes = fs::read(&image).expect("readable");
    let block = fs::read(&right).expect("readable");
    let copy = bytes.windows(1024).rposition(|window| window == block);
    bytes[copy.expect("a copy in the journal") + 7] ^= 1;
    fs::write(&image, bytes).expect("writable");
    let report = checked(&image);
    assert_eq!(ids(&report), ["ext4-journal-dirty"], "{report:?}");
    assert_eq!(report.verdict(), Verdict::Unknown);
    assert!(report.unchecked[0].why.contains("its journal waits for its replay"), "{report:?}");
}

/// Has debugfs write to the journal.
fn write_journal(image: &std::path::Path, requests: &str) {
    let script = image.with_extension("requests");
    fs::write(&script, requests).expect("writable");
    command::run(Command::new("debugfs").arg("-w").arg("-f").arg(&script).arg(image)).expect("debugfs");
}

#[test]
fn what_is_opened_once_is_checked_as_its_file_is() {
    let tree = Tree::busybox().without("bin/sh");
    let image = tree.image(&["-O", "meta_bg,^resize_inode"]);
    let root = RootFs::open(&image).expect("a root filesystem");
    let expected = checked(&image);
    for _ in 0..2 {
        let report = check(&root, &CheckOptions::default()).expect("readable");
        assert_eq!(ids(&report), ids(&expected));
        assert_eq!((report.file, report.size, report.init), (expected.file.clone(), 16 << 20, expected.init.clone()));
    }
    assert_eq!(root.path(), image);
}

#[test]
fn states_that_are_not_clean() {
    let tree = Tree::busybox();
    let image = tree.image(&[]);
    debugfs(&image, "set_super_value state 3");
    expect(&checked(&image), &["ext4-not-clean"]);
    debugfs(&image, "set_super_value state 0");
    expect(&checked(&image), &["ext4-not-clean"]);
    debugfs(&image, "set_super_value state 1");
    debugfs(&image, "set_super_value error_count 2");
    assert!(evidence(&checked(&image), "ext4-not-clean").contains("counted errors"));
}

#[test]
fn what_is_full() {
    let tree = Tree::busybox();
    let image = tree.image(&[]);
    debugfs(&image, "set_super_value free_blocks_count 100");
    debugfs(&image, "set_super_value free_inodes_count 5");
    expect(&checked(&image), &["space-low", "inodes-low"]);
    debugfs(&image, "set_super_value feature_ro_compat 0x146b");
    assert_eq!(ids(&checked(&image)), [""; 0]);
}

/// The kernel looks at the journal of a clean file system too.
#[test]
fn what_no_kernel_mounts() {
    let tree = Tree::busybox();
    for request in [
        "set_inode_field <8> links_count 0",
        "set_super_value journal_inum 0",
        "set_super_value inodes_count 77",
        "set_inode_field <2> blocks 0",
    ] {
        let image = tree.image(&[]);
        debugfs(&image, request);
        let report = checked(&image);
        expect(&report, &["ext4-damaged"]);
        assert_eq!(report.verdict(), Verdict::Failing, "{request}");
    }
}

#[test]
fn a_journal_on_another_device_leaves_the_mount_open() {
    let tree = Tree::busybox();
    let image = tree.image(&[]);
    debugfs(&image, "set_super_value journal_inum 0");
    debugfs(&image, "set_super_value journal_dev 0x123");
    let report = checked(&image);
    assert_eq!(ids(&report), [""; 0]);
    assert_eq!(report.verdict(), Verdict::Unknown);
    assert!(report.unchecked[0].why.contains("another device"), "{report:?}");
}
