//! The tree of names that the metadata phase writes.
//!
//! Inodes live in an arena; a directory maps names to their ids, so a hard link is simply a second name with the same
//! id. Link counts are not kept: the writer counts the names that it finds.

use std::collections::BTreeMap;

use crate::Content;

/// An inode's place in its [`Tree`]; not the inode number on the disk, which the writer assigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(u32);

/// The names in a directory, as bytes, without `.` and `..`.
pub type Directory = BTreeMap<Box<[u8]>, InodeId>;

/// A point in time: seconds since 1970 and nanoseconds, as ext4 keeps it (1901 to 2446; the writer clamps).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00:00 UTC; negative before.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// What every inode has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Permission, setid and sticky bits (`07777`); the type comes from [`Kind`].
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The time of the last change; serves as access, change and creation time too.
    pub time: Timestamp,
}

/// A device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// The major number (12 bits in the kernel's encoding).
    pub major: u32,
    /// The minor number (20 bits in the kernel's encoding).
    pub minor: u32,
}

/// What an inode is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory with its names.
    Directory(Directory),
    /// A regular file with its bytes.
    File(Content),
    /// A symbolic link with its target: 1 to 4,095 bytes, no NUL.
    Symlink(Box<[u8]>),
    /// A character device.
    CharacterDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
    /// A socket's name.
    Socket,
}

/// An extended attribute as user space names it: `user.x`, `security.capability`, `system.posix_acl_access`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xattr {
    /// The full name with its prefix.
    pub name: Box<[u8]>,
    /// The value as `getxattr(2)` gives it (ACLs in the form of version 2, which the writer converts).
    pub value: Box<[u8]>,
}

/// An inode of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Owner, mode and time.
    pub metadata: Metadata,
    /// Its type and what belongs to the type.
    pub kind: Kind,
    /// Its extended attributes, in any order, each name once.
    pub xattrs: Box<[Xattr]>,
}

/// A file system's tree: an arena of inodes, the root directory first.
#[derive(Clone, Debug)]
pub struct Tree {
    inodes: Vec<Inode>,
}

impl Tree {
    /// The root directory, which every tree has.
    pub const ROOT: InodeId = InodeId(0);

    /// A tree with an empty root directory.
    pub fn new(root: Metadata) -> Self {
        let root = Inode { metadata: root, kind: Kind::Directory(Directory::new()), xattrs: Box::default() };
        Self { inodes: vec![root] }
    }

    /// Adds an inode that has no name yet.
    ///
    /// # Panics
    /// When the tree would hold more than 2^32 inodes, which is more than ext4 can number.
    pub fn add(&mut self, inode: Inode) -> InodeId {
        let id = u32::try_from(self.inodes.len()).expect("ext4 numbers inodes with 32 bits");
        self.inodes.push(inode);
        InodeId(id)
    }

    /// How many inodes the arena holds, those without a name included.
    pub fn len(&self) -> usize {
        self.inodes.len()
    }

    /// Never: a tree has at least its root.
    pub fn is_empty(&self) -> bool {
        self.inodes.is_empty()
    }

    /// The inode with this id.
    pub fn inode(&self, id: InodeId) -> &Inode {
        &self.inodes[id.index()]
    }

    /// The inode with this id, to change.
    pub fn inode_mut(&mut self, id: InodeId) -> &mut Inode {
        &mut self.inodes[id.index()]
    }

    /// The names in a directory; `None` when the inode is something else.
    pub fn directory(&self, id: InodeId) -> Option<&Directory> {
        match &self.inode(id).kind {
            Kind::Directory(names) => Some(names),
            _ => None,
        }
    }

    /// The names in each directory of the arena, those without a name included.
    pub fn directories(&self) -> impl Iterator<Item = &Directory> {
        self.inodes.iter().filter_map(|inode| match &inode.kind {
            Kind::Directory(names) => Some(names),
            _ => None,
        })
    }

    /// The names in a directory, to change; `None` when the inode is something else.
    pub fn directory_mut(&mut self, id: InodeId) -> Option<&mut Directory> {
        match &mut self.inode_mut(id).kind {
            Kind::Directory(names) => Some(names),
            _ => None,
        }
    }
}

impl InodeId {
    /// The index into an array that runs beside the tree's inodes.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
