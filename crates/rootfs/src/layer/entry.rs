//! What a layer says about one name.

use nex_ext4::{Content, Device, Metadata, Xattr};

use super::path::LayerPath;

/// One entry of a layer, its content already placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name that the entry is about.
    pub path: LayerPath,
    /// What it says about the name.
    pub kind: EntryKind,
}

/// What an entry says about its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// The name is this.
    Node(Node),
    /// The name is one more name of the file at this path.
    HardLink(LayerPath),
    /// The name is hidden, where a lower layer has it.
    Whiteout,
    /// The name is a directory of which nothing in lower layers is seen.
    Opaque,
}

/// An inode as a layer describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Owner, mode and time.
    pub metadata: Metadata,
    /// Extended attributes, each name once.
    pub xattrs: Box<[Xattr]>,
    /// Its type.
    pub kind: NodeKind,
}

/// The type of a [`Node`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A directory; its names are entries of their own.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link and its target.
    Symlink(Box<[u8]>),
    /// A character device.
    CharacterDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
}
