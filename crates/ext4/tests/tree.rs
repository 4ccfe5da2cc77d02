//! Every kind of inode, read back by an independent reader.

mod support;

use std::collections::BTreeMap;

use ext4_view::{Ext4, FileType};
use nex_ext4::{Device, Directory, Error, Inode, Kind, Layout, Metadata, Size, Timestamp, Tree, Xattr};
use support::{Builder, MIB, metadata, pattern};

/// A link's target of so many bytes, with components that a reader takes.
fn target(length: usize) -> Box<[u8]> {
    b"directory/".iter().cycle().take(length).copied().collect()
}

#[test]
fn owners_modes_and_kinds_read_back() {
    let mut builder = Builder::new(&Layout::default());
    builder.tree.inode_mut(Tree::ROOT).metadata.mode = 0o1751;
    let owned = Metadata { mode: 0o6755, uid: 70_000, gid: u32::MAX - 1, time: Timestamp::default() };
    let content = builder.place(b"set user id");
    builder.add_inode(Tree::ROOT, "su", Inode { metadata: owned, kind: Kind::File(content), xattrs: Box::default() });
    builder.add(Tree::ROOT, b"not \xff utf-8", Kind::Fifo);
    builder.add(Tree::ROOT, "short", Kind::Symlink(target(59)));
    builder.add(Tree::ROOT, "long", Kind::Symlink(target(60)));
    builder.add(Tree::ROOT, "longest", Kind::Symlink(target(4095)));
    builder.add(Tree::ROOT, "large device", Kind::BlockDevice(Device { major: 4095, minor: 0xF_FFFF }));
    builder.add(Tree::ROOT, "socket", Kind::Socket);
    builder.add_file(Tree::ROOT, "empty", b"");
    let image = builder.finish(Size::Auto { free: Some(MIB) });
    image.assert_clean();

    let ext4 = Ext4::load_from_path(image.path()).unwrap();
    assert_eq!(ext4.metadata("/").unwrap().mode(), 0o1751);
    let su = ext4.metadata("/su").unwrap();
    assert_eq!((su.mode(), su.uid(), su.gid()), (0o6755, 70_000, u32::MAX - 1));
    assert_eq!(ext4.read("/su").unwrap(), b"set user id");
    assert_eq!(ext4.read("/empty").unwrap(), b"");
    let kind = |path: &[u8]| ext4.symlink_metadata(path).unwrap().file_type();
    assert_eq!(kind(b"/not \xff utf-8"), FileType::Fifo);
    assert_eq!(kind(b"/large device"), FileType::BlockDevice);
    assert_eq!(kind(b"/socket"), FileType::Socket);
    for (path, length) in [("/short", 59), ("/long", 60), ("/longest", 4095)] {
        assert_eq!(ext4.read_link(path).unwrap().as_ref(), &*target(length));
    }
}

#[test]
fn hard_links_share_an_inode_and_unnamed_inodes_are_not_written() {
    let mut builder = Builder::new(&Layout::default());
    let file = builder.add_file(Tree::ROOT, "a", b"shared");
    let directory = builder.add_directory(Tree::ROOT, "d");
    builder.link(directory, "b", file);
    builder.tree.add(Inode { metadata: metadata(0o644), kind: Kind::Socket, xattrs: Box::default() });
    let image = builder.finish(Size::Auto { free: Some(MIB) });
    image.assert_clean();
    assert_eq!(image.report.inode_count - image.report.free_inodes, 11 + 2);
    assert_eq!(support::read(&image.path(), "/d/b"), b"shared");
}

#[test]
fn a_lost_and_found_of_the_tree_keeps_its_metadata_and_names() {
    let mut builder = Builder::new(&Layout::default());
    let directory = builder.add_directory(Tree::ROOT, "lost+found");
    builder.tree.inode_mut(directory).metadata.mode = 0o711;
    builder.add_file(directory, "found", b"again");
    let image = builder.finish(Size::Auto { free: Some(MIB) });
    image.assert_clean();
    let ext4 = Ext4::load_from_path(image.path()).unwrap();
    assert_eq!(ext4.metadata("/lost+found").unwrap().mode(), 0o711);
    assert_eq!(ext4.read("/lost+found/found").unwrap(), b"again");
}

#[test]
fn a_hundred_thousand_names_and_deep_trees_are_clean() {
    let mut builder = Builder::new(&Layout::default());
    let wide = builder.add_directory(Tree::ROOT, "wide");
    (0..100_000).for_each(|i| _ = builder.add(wide, format!("name {i:06}"), Kind::Fifo));
    let mut deep = Tree::ROOT;
    for _ in 0..1000 {
        deep = builder.add_directory(deep, "d");
    }
    let image = builder.finish(Size::Auto { free: None });
    image.assert_clean();
    assert!(image.report.inode_count > 101_011);
    let ext4 = Ext4::load_from_path(image.path()).unwrap();
    assert_eq!(ext4.read_dir("/wide").unwrap().count(), 100_002);
    assert!(ext4.exists("/wide/name 099999").unwrap());
}

#[test]
fn attributes_read_back_in_the_inode_and_in_a_block() {
    let xattr = |name: &str, value: &[u8]| Xattr { name: name.as_bytes().into(), value: value.into() };
    let mut builder = Builder::new(&Layout::default());
    let small = builder.add_file(Tree::ROOT, "small", b"x");
    builder.tree.inode_mut(small).xattrs = [xattr("user.a", b"1"), xattr("security.capability", &[1; 20])].into();
    let large = builder.add_file(Tree::ROOT, "large", b"x");
    builder.tree.inode_mut(large).xattrs = [xattr("user.large", &[7; 3000])].into();
    let image = builder.finish(Size::Auto { free: Some(MIB) });
    image.assert_clean();
    assert!(support::debugfs(&image.path(), "ea_list /small").contains("user.a (1) = \"1\""));
    assert!(support::debugfs(&image.path(), "ea_list /large").contains("user.large (3000)"));
}

#[test]
fn rules_of_the_format_are_told_with_the_path() {
    type Break = fn(&mut Builder);
    let cases: [(&str, Break); 6] = [
        ("/d/x/y: not a legal name", |b| {
            let directory = b.add_directory(Tree::ROOT, "d");
            b.add(directory, "x/y", Kind::Fifo);
        }),
        ("/l: the symbolic link's target has 0 bytes", |b| _ = b.add(Tree::ROOT, "l", Kind::Symlink(Box::default()))),
        ("/d/e: a second name for a directory", |b| {
            let directory = b.add_directory(Tree::ROOT, "d");
            b.link(directory, "e", directory);
        }),
        ("/lost+found is not a directory", |b| _ = b.add(Tree::ROOT, "lost+found", Kind::Fifo)),
        ("/c: device 4096:0", |b| {
            _ = b.add(Tree::ROOT, "c", Kind::CharacterDevice(Device { major: 4096, minor: 0 }));
        }),
        ("/n0: 65001 hard links", |b| {
            let id = b.add(Tree::ROOT, "n0", Kind::Fifo);
            (1..65_001).for_each(|i| b.link(Tree::ROOT, format!("n{i}"), id));
        }),
    ];
    for (expected, break_rule) in cases {
        let mut builder = Builder::new(&Layout::default());
        break_rule(&mut builder);
        let error = builder.try_finish(Size::Auto { free: None }).map(|image| image.report).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn content_of_two_inodes_is_refused() {
    let mut builder = Builder::new(&Layout::default());
    let content = builder.place(&pattern(1, 5000));
    builder.add(Tree::ROOT, "a", Kind::File(content.clone()));
    builder.add(Tree::ROOT, "b", Kind::File(content));
    let error = builder.try_finish(Size::Auto { free: None }).map(|image| image.report).unwrap_err();
    assert!(matches!(error, Error::ForeignContent { .. }));
}

#[test]
fn seventy_thousand_subdirectories_are_not_counted() {
    let mut builder = Builder::new(&Layout::default());
    let names: Directory = Directory::new();
    for i in 0..70_000 {
        builder.add(Tree::ROOT, format!("{i}"), Kind::Directory(names.clone()));
    }
    let image = builder.finish(Size::Auto { free: None });
    image.assert_clean();
    assert!(support::debugfs(&image.path(), "stat /").contains("Links: 1 "));
}

#[test]
fn random_content_reads_back() {
    let mut builder = Builder::new(&Layout::default());
    let mut model = BTreeMap::new();
    for i in 0..400_u64 {
        let length = (i * i * 37 % 90_000) as usize;
        let name = format!("/file {i}");
        builder.add_file(Tree::ROOT, &name[1..], &pattern(i, length));
        model.insert(name, pattern(i, length));
    }
    let image = builder.finish(Size::Auto { free: Some(MIB) });
    image.assert_clean();
    let ext4 = Ext4::load_from_path(image.path()).unwrap();
    for (name, bytes) in &model {
        assert!(&ext4.read(name.as_str()).unwrap() == bytes, "{name}");
    }
}
