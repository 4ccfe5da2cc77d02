//! File systems of our own writer, and what editing makes of them.

use std::fs;

use nex_ext4::{Editor, Kind, Layout, Size, Tree, Xattr};
use nex_testkit::{image_tree, manifest};

use crate::support::growth::{self, prepared};
use crate::support::{Builder, GIB, MIB, flip_byte, pattern};
use crate::tree::{open, read_all};

#[test]
fn what_the_writer_made_is_read_as_others_read_it() {
    let mut builder = Builder::new(&Layout::default());
    let file = builder.add_file(Tree::ROOT, "file", &pattern(1, 3 << 20));
    builder.link(Tree::ROOT, "another", file);
    let xattr = |name: &str, value: &[u8]| Xattr { name: name.as_bytes().into(), value: value.into() };
    builder.tree.inode_mut(file).xattrs = [xattr("user.short", b"x"), xattr("user.long", &pattern(2, 3000))].into();
    let many = builder.add_directory(Tree::ROOT, "many");
    for number in 0..3000 {
        builder.add(many, format!("a name of some length, number {number}"), Kind::Fifo);
    }
    builder.add(Tree::ROOT, "short link", Kind::Symlink(b"many"[..].into()));
    builder.add(Tree::ROOT, "long link", Kind::Symlink(b"many/../".repeat(500).into()));
    let image = builder.finish(Size::Exact(64 * MIB));
    let image = image.path();
    let expected = image_tree::read(&image).unwrap();
    let reader = open(&image).unwrap();
    manifest::equal(&expected, &read_all(&reader).unwrap()).unwrap();
    for path in expected.keys() {
        assert!(reader.lstat(path).unwrap().is_some(), "/{}", path.escape_ascii());
    }
}

#[test]
fn another_byte_in_a_file_is_seen() {
    let image = prepared(64 * MIB);
    let image = image.path();
    let before = read_all(&open(&image).unwrap()).unwrap();
    let content = fs::read(&image).unwrap();
    let place = content.windows(64).position(|bytes| bytes == &pattern(1, 64)[..]).unwrap();
    flip_byte(&image, place as u64);
    let after = read_all(&open(&image).unwrap()).unwrap();
    let differences = manifest::differences(&before, &after);
    assert_eq!(differences.iter().map(|difference| &difference.path[..]).collect::<Vec<_>>(), [b"file"]);
}

#[test]
fn what_growth_past_the_reserve_made_is_read() {
    let image = growth::image(64 * MIB, 64 * MIB);
    let before = read_all(&open(&image.path()).unwrap()).unwrap();
    Editor::open(&growth::open(&image.path())).unwrap().grow(600 * GIB).unwrap();
    let reader = open(&image.path()).unwrap();
    let meta_bg = nex_ext4::Feature::of_field(nex_ext4::FeatureSet::Incompat, reader.superblock().incompat);
    assert!(meta_bg.into_iter().any(|feature| feature.name() == Some("meta_bg")), "growth has brought meta_bg");
    manifest::equal(&before, &read_all(&reader).unwrap()).unwrap();
    reader.check_mount().unwrap();
}
