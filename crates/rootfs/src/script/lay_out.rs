//! Gives the merged tree to the sandbox.

use std::collections::BTreeMap;

use nex_ext4::{BLOCK_SIZE, Content, Device, Inode, InodeId, Kind, Tree, Xattr};
use nex_sandbox::{Laying, Node, Piece};

/// Places everything that the root leads to, directories before what is in them.
pub fn lay_out(tree: &Tree, laying: &mut Laying) -> Result<(), nex_sandbox::Error> {
    let names = count_names(tree);
    let mut first_names: BTreeMap<InodeId, Vec<u8>> = BTreeMap::new();
    // Iterative, as directories may be nested thousands deep.
    let mut pending = vec![(Tree::ROOT, Vec::new())];
    while let Some((id, path)) = pending.pop() {
        let inode = tree.inode(id);
        if let Kind::Directory(below) = &inode.kind {
            pending.extend(below.iter().rev().map(|(name, &id)| (id, join(&path, name))));
        }
        let is_linked = names[id.index()] > 1;
        let kind = match first_names.get(&id) {
            Some(first) => Some(nex_sandbox::Kind::HardLink(first.clone())),
            None => kind(&inode.kind),
        };
        if is_linked {
            first_names.entry(id).or_insert_with(|| path.clone());
        }
        if let Some(kind) = kind {
            laying.place(node(path, inode, kind))?;
        }
    }
    Ok(())
}

/// How many names each inode has, by its index; 2 stands for more.
fn count_names(tree: &Tree) -> Vec<u8> {
    let mut names = vec![0u8; tree.len()];
    let mut pending = vec![Tree::ROOT];
    while let Some(id) = pending.pop() {
        let count = &mut names[id.index()];
        *count = (*count + 1).min(2);
        pending.extend(tree.directory(id).into_iter().flat_map(|below| below.values().copied()));
    }
    names
}

/// The sandbox's word for a type. A socket's name means nothing without the process behind it.
fn kind(kind: &Kind) -> Option<nex_sandbox::Kind> {
    use nex_sandbox::Kind as Theirs;
    Some(match kind {
        Kind::Directory(_) => Theirs::Directory,
        Kind::File(content) => Theirs::File { size: content.size(), pieces: pieces(content) },
        Kind::Symlink(target) => Theirs::Symlink(target.to_vec()),
        Kind::CharacterDevice(Device { major, minor }) => Theirs::CharacterDevice { major: *major, minor: *minor },
        Kind::BlockDevice(Device { major, minor }) => Theirs::BlockDevice { major: *major, minor: *minor },
        Kind::Fifo => Theirs::Fifo,
        Kind::Socket => return None,
    })
}

/// The file's blocks in the image. The last one is cut to the size.
fn pieces(content: &Content) -> Vec<Piece> {
    let piece = |extent: &nex_ext4::Extent| {
        let offset = u64::from(extent.logical) * BLOCK_SIZE;
        let length = (u64::from(extent.length) * BLOCK_SIZE).min(content.size().saturating_sub(offset));
        Piece { offset, source: extent.physical * BLOCK_SIZE, length }
    };
    content.extents().iter().map(piece).collect()
}

fn node(path: Vec<u8>, inode: &Inode, kind: nex_sandbox::Kind) -> Node {
    let xattr = |xattr: &Xattr| nex_sandbox::Xattr { name: xattr.name.to_vec(), value: xattr.value.to_vec() };
    let metadata = &inode.metadata;
    Node {
        path,
        mode: metadata.mode,
        uid: metadata.uid,
        gid: metadata.gid,
        seconds: metadata.time.seconds,
        nanoseconds: metadata.time.nanoseconds,
        xattrs: inode.xattrs.iter().map(xattr).collect(),
        kind,
    }
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}
