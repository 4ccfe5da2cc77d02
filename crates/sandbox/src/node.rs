//! What the tree consists of, on its way in, and what has become of it, on its way out.

use serde::{Deserialize, Serialize};

/// A name in the tree and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its path from the root, without a leading slash; empty for the root itself.
    pub path: Vec<u8>,
    /// Permission, setid and sticky bits (`07777`).
    pub mode: u16,
    /// The owner, as the tree's own users see it.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The time of the last change of content, in seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds after `seconds`.
    pub nanoseconds: u32,
    /// Extended attributes, each name once.
    pub xattrs: Vec<Xattr>,
    /// Its type and what belongs to the type.
    pub kind: Kind,
}

/// An extended attribute under its full name, as `getxattr(2)` gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Xattr {
    /// Such as `user.x` or `security.capability`.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// The type of a [`Node`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A directory. What is in it are nodes of their own, which come later.
    Directory,
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// Where its bytes are, ascending; what no piece covers is a hole.
        pieces: Vec<Piece>,
    },
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// One more name of the file at this path, which came before; the other fields of the node mean nothing.
    HardLink(Vec<u8>),
    /// A character device.
    CharacterDevice {
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// A run of bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Where it begins in the file.
    pub offset: u64,
    /// Where it begins in the source: the file that the caller gave, or the bytes that follow a change.
    pub source: u64,
    /// Its length.
    pub length: u64,
}

/// What a script has done to a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The name is new, or stands for something that was written to; `new` tells which.
    Set {
        /// What it stands for now.
        node: Node,
        /// Whether the name was not there before.
        new: bool,
    },
    /// The name is gone, and what was below it too.
    Removed(Vec<u8>),
    /// The name is a socket's, which means nothing without the process behind it.
    Socket {
        /// Its path from the root on, without a slash in front.
        path: Vec<u8>,
        /// Whether the name was not there before.
        new: bool,
    },
}

impl Change {
    /// How many bytes of a file belong to it: those of all pieces.
    pub fn content_length(&self) -> u64 {
        match self {
            Self::Set { node: Node { kind: Kind::File { pieces, .. }, .. }, .. } => {
                pieces.iter().map(|piece| piece.length).fold(0, u64::saturating_add)
            }
            _ => 0,
        }
    }
}
