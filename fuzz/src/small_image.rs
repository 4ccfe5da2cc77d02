//! A small image of ours that has a bit of everything that changes in place go through.

use std::fs::{self, File};

use nex_ext4::{
    Content, Directory, Inode, InodeId, Journal, Kind, Layout, Metadata, Options, Reserved, Size, Sizes, Timestamp,
    Tree, Writer,
};

use crate::memory::BLOCK;
use crate::place;

/// An image with an agent, a directory with an index, and a file with an extent tree of two levels.
pub fn image(journal: Journal) -> Vec<u8> {
    const ROOM: u64 = 24 << 20;
    let path = place::directory().join("base.ext4");
    let file =
        File::options().read(true).write(true).create(true).truncate(true).open(&path).expect("our own directory");
    let mut writer = Writer::new(file, &Layout { size_limit: Some(ROOM), ..Layout::default() }).expect("an empty file");
    let mut tree = Tree::new(metadata());
    let usr = directory(&mut tree, Tree::ROOT, "usr");
    let many = directory(&mut tree, Tree::ROOT, "many");
    let agent = content(&mut writer, &[(0, 100_000)]);
    add(&mut tree, usr, "agent", Kind::File(agent));
    for number in 0..400 {
        add(&mut tree, many, &format!("name-of-some-length-{number:04}"), Kind::File(Content::default()));
    }
    let pieces: Vec<(u64, usize)> = (0..600).map(|number| (number * 2 * BLOCK as u64, BLOCK)).collect();
    let pieces = content(&mut writer, &pieces);
    add(&mut tree, Tree::ROOT, "pieces", Kind::File(pieces));
    add(&mut tree, Tree::ROOT, "link", Kind::Symlink(b"usr/../link/agent"[..].into()));
    let options = Options {
        sizes: Sizes { size: Size::Exact(ROOM), journal, reserved: Reserved::default(), inodes: Some(512) },
        uuid: [7; 16],
        hash_seed: [8; 16],
        label: [0; 16],
        time: 1_700_000_000,
    };
    writer.finish(&tree, &options).expect("a small file system");
    fs::read(&path).expect("our own directory")
}

fn content(writer: &mut Writer, pieces: &[(u64, usize)]) -> Content {
    let mut file = writer.file();
    let mut end = 0;
    for &(offset, length) in pieces {
        file.hole(offset - end).expect("room");
        file.write(&vec![1; length]).expect("room");
        end = offset + length as u64;
    }
    file.finish().expect("room")
}

fn metadata() -> Metadata {
    Metadata { mode: 0o755, uid: 0, gid: 0, time: Timestamp { seconds: 1_700_000_000, nanoseconds: 0 } }
}

fn add(tree: &mut Tree, parent: InodeId, name: &str, kind: Kind) -> InodeId {
    let id = tree.add(Inode { metadata: metadata(), kind, xattrs: Box::default() });
    tree.directory_mut(parent).expect("a directory").insert(name.as_bytes().into(), id);
    id
}

fn directory(tree: &mut Tree, parent: InodeId, name: &str) -> InodeId {
    add(tree, parent, name, Kind::Directory(Directory::new()))
}
