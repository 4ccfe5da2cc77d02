//! What the superblock says, field by field and feature by feature, and who objects when it is wrong.

mod support;

use std::process::Command;

use nex_ext4::{Kind, Layout, Size, Tree, Xattr};
use support::{Builder, GIB, Image, MIB, e2fsck, have, in_kernel, text};

/// All features, as dumpe2fs names them.
const FEATURES: [&str; 14] = [
    "has_journal",
    "ext_attr",
    "resize_inode",
    "dir_index",
    "filetype",
    "extent",
    "64bit",
    "flex_bg",
    "sparse_super",
    "large_file",
    "huge_file",
    "dir_nlink",
    "extra_isize",
    "metadata_csum",
];
/// Features that allow a form which nothing in an image takes: without the bit, the same bytes mean the same. The kernel
/// wants both of any file system it grows or of which it widens the inodes.
const PERMISSIONS: [&str; 2] = ["huge_file", "extra_isize"];

/// The lines of `dumpe2fs -h`.
fn dumped(image: &std::path::Path) -> String {
    text(&Command::new("dumpe2fs").env("LC_ALL", "C").arg("-h").arg(image).output().unwrap())
}

/// The value behind `name:`.
fn field<'a>(dump: &'a str, name: &str) -> Option<&'a str> {
    let rest = dump.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    rest.map(str::trim)
}

/// An image that makes use of every feature but `dir_nlink`: four groups, a journal, attributes, a large file, an indexed
/// directory.
fn with_everything() -> Image {
    let mut builder = Builder::new(&Layout::default());
    let file = builder.add_file(Tree::ROOT, "attributes", b"x");
    let value = vec![7; 2000].into();
    builder.tree.inode_mut(file).xattrs = [Xattr { name: b"user.large"[..].into(), value }].into();
    let mut large = builder.writer.file();
    large.hole(3 * GIB).unwrap();
    let content = large.finish().unwrap();
    builder.add(Tree::ROOT, "large", Kind::File(content));
    let names = builder.add_directory(Tree::ROOT, "names");
    (0..600).for_each(|number| _ = builder.add(names, format!("{number:0>20}"), Kind::Fifo));
    builder.finish(Size::Exact(400 * MIB))
}

/// An image with a directory that has more subdirectories than an inode can count links.
fn with_many_subdirectories() -> Image {
    let mut builder = Builder::new(&Layout::default());
    let many = builder.add_directory(Tree::ROOT, "many");
    (0..65_100).for_each(|number| _ = builder.add_directory(many, number.to_string()));
    builder.finish(Size::Auto { free: None })
}

#[test]
fn dumpe2fs_shows_the_features_and_no_error() {
    if !have("dumpe2fs") {
        return;
    }
    let image = Builder::new(&Layout::default()).finish(Size::Exact(300 * MIB));
    let dump = dumped(&image.path());
    let features: Vec<&str> = field(&dump, "Filesystem features").unwrap().split_whitespace().collect();
    assert_eq!(features, FEATURES);
    for (name, value) in [
        ("Filesystem state", "clean"),
        ("Filesystem flags", "signed_directory_hash"),
        ("Flex block group size", "16"),
        ("Reserved block count", "0"),
        ("Journal backup", "inode blocks"),
        ("Default mount options", "user_xattr acl"),
    ] {
        assert_eq!(field(&dump, name), Some(value), "{name}");
    }
    let errors = ["FS Error count", "First error time", "Last error time"];
    assert!(errors.iter().all(|name| field(&dump, name).is_none()), "{dump}");
}

#[test]
fn without_any_feature_that_it_uses_an_image_is_not_clean() {
    if !have("e2fsck") || !have("debugfs") {
        return;
    }
    let (image, many) = (with_everything(), with_many_subdirectories());
    image.assert_clean();
    for feature in FEATURES.iter().filter(|feature| !PERMISSIONS.contains(feature)) {
        let said = check_without(feature, if *feature == "dir_nlink" { &many } else { &image });
        let is_complaint =
            |line: &str| !line.is_empty() && !line.starts_with("Pass ") && !line.starts_with("e2fsck 1.");
        let complaints = said.lines().filter(|line| is_complaint(line) && !line.ends_with(" blocks")).count();
        assert!(complaints > 0, "nobody misses {feature}: {said}");
    }
}

/// What e2fsck says of an image whose superblock lacks the feature.
fn check_without(feature: &str, image: &Image) -> String {
    let copy = image.copy();
    let request = format!("feature -{feature}");
    assert!(Command::new("debugfs").args(["-w", "-R", &request]).arg(&copy).output().unwrap().status.success());
    text(&e2fsck(&["-fn"], &copy))
}

/// The kernel believes `s_overhead_clusters`, and counts itself when it is zero.
#[test]
fn the_kernel_counts_the_same_overhead() {
    for size in [64 * MIB, 300 * MIB, 9 * GIB] {
        let image = Builder::new(&Layout::default()).finish(Size::Exact(size));
        let Some(believed) = in_kernel(&image, "stat -f -c '%b %f' .") else { return };
        let dump = dumped(&image.path());
        let number = |name| field(&dump, name).unwrap().parse::<u64>().unwrap();
        let total = number("Block count") - number("Overhead clusters");
        assert_eq!(believed.split_whitespace().next(), Some(&*total.to_string()));
        let request = "set_super_value overhead_clusters 0";
        assert!(Command::new("debugfs").args(["-w", "-R", request]).arg(image.path()).status().unwrap().success());
        assert_eq!(in_kernel(&image, "stat -f -c '%b %f' .").unwrap(), believed, "{size} bytes");
    }
}
