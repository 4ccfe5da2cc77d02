//! Images made by mke2fs, read as a guest would.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_fault::{Fault, whole};
use nex_inspect::{Kind, RootFs, RootFsError, View, codes};
use nex_testkit::command;

/// An ext4 image of a tree, made by mke2fs.
fn image_of(tree: &Path, options: &[&str]) -> PathBuf {
    let image = tree.with_extension("ext4");
    let mut mke2fs = Command::new("mke2fs");
    command::run(mke2fs.args(["-q", "-F", "-t", "ext4"]).args(options).arg("-d").args([tree, &image]).arg("16M"))
        .expect("an image");
    image
}

fn open(image: &Path) -> Result<RootFs, RootFsError> {
    RootFs::open(image)
}

#[test]
fn links_resolve_inside_the_root_and_loops_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let tree = directory.path().join("tree");
    fs::create_dir_all(tree.join("usr/lib/deep")).expect("writable");
    fs::write(tree.join("usr/lib/deep/file"), "content").expect("writable");
    for (link, target) in [
        ("lib", "usr/lib"),
        ("absolute", "/lib/deep"),
        ("out", "../../../lib/../lib/deep/file"),
        ("loop", "pool"),
        ("pool", "/loop"),
        ("dangling", "nowhere"),
        ("through", "usr/lib/deep/file/more"),
    ] {
        symlink(target, tree.join(link)).expect("writable");
    }
    symlink("./".repeat(400) + "usr", tree.join("long")).expect("writable");
    let image = open(&image_of(&tree, &[])).expect("an image");
    for path in [
        "/usr/lib/deep/file",
        "/lib/deep/file",
        "/absolute/file",
        "/out",
        "//lib/./deep/../deep//file",
        "/long/lib/deep/file",
    ] {
        assert_eq!(image.canonical(path.as_bytes()).as_deref(), Some(&b"/usr/lib/deep/file"[..]), "{path}");
        assert_eq!(image.read(path.as_bytes(), 4).unwrap().as_deref(), Some(&b"cont"[..]), "{path}");
    }
    assert_eq!(image.length(b"/out"), Some(7));
    assert_eq!(image.canonical(b"/../.."), Some(b"/".to_vec()));
    for path in
        ["/loop", "/loop/file", "/dangling", "/through", "/lib/deep/file/more", "/nothing/at/all", "/usr/nothing"]
    {
        assert_eq!(image.stat(path.as_bytes()), None, "{path}");
    }
    assert_eq!(image.lstat(b"/loop").map(|stat| stat.kind), Some(Kind::Symlink));
    assert_eq!(image.read_link(b"/dangling"), Some(b"nowhere".to_vec()));
    let mut names = image.list(b"/absolute/..").expect("a directory");
    names.sort();
    assert_eq!(names, [b"deep".to_vec()]);
    assert!(image.take_trouble().is_none());
}

#[test]
fn what_is_missing_behind_damage_is_told_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let tree = directory.path().join("tree");
    fs::create_dir_all(tree.join("etc")).expect("writable");
    fs::write(tree.join("etc/passwd"), "root:x:0:0::/:\n").expect("writable");
    let path = image_of(&tree, &[]);
    // The inode's checksum no longer fits.
    command::run(Command::new("debugfs").args(["-w", "-R", "set_inode_field /etc/passwd checksum 0x1234"]).arg(&path))
        .expect("debugfs");
    let image = open(&path).expect("an image");
    assert_eq!(image.stat(b"/etc/passwd"), None);
    assert!(matches!(image.take_trouble(), Some(RootFsError::Damaged(_))));
    assert_eq!(image.stat(b"/etc/shadow"), None);
    assert!(image.take_trouble().is_none());
}

#[test]
fn files_that_hold_no_ext4_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut tar = vec![0; 4096];
    tar[257..262].copy_from_slice(b"ustar");
    let partition = "give the partition with the root filesystem alone";
    let cases: [(&str, Vec<u8>, &str, Option<&str>); 6] = [
        ("empty", Vec::new(), "too few", None),
        ("zeros", vec![0; 8192], "begins with zeros", None),
        ("gzip", [&[0x1f, 0x8b, 8, 0][..], &[7; 4096]].concat(), "gzip", Some("unpack it first: gunzip FILE")),
        ("table", [vec![1; 510], vec![0x55, 0xaa], vec![2; 4096]].concat(), "partition table", Some(partition)),
        ("text", b"text ".repeat(1000), "no ext4 superblock", None),
        ("tar", tar, "tar", Some("make a root filesystem of it: nex rootfs --image tar:FILE")),
    ];
    for (name, bytes, expected, remedy) in cases {
        let path = directory.path().join(name);
        fs::write(&path, bytes).expect("writable");
        let error = open(&path).err().expect("no image");
        assert!(whole(&error).contains(expected), "{name}: {error}");
        assert_eq!(error.code(), codes::NOT_EXT4);
        let words = error.remedy().map(|remedy| remedy.words(nex_fault::Setting::flag));
        assert_eq!(words.as_deref(), remedy, "{name}");
    }
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let tree = directory.path().join("tree");
    fs::create_dir(&tree).expect("writable");
    let path = image_of(&tree, &[]);
    File::options().write(true).open(&path).and_then(|file| file.set_len(8 << 20)).expect("writable");
    let expected = RootFsError::CutOff { length: 8 << 20, size: 16 << 20 };
    assert_eq!(open(&path).err().map(|error| error.to_string()), Some(expected.to_string()));
}
