//! What a header says about its name.

/// The header of an entry, with all extensions applied.
#[derive(Debug)]
pub struct Header {
    /// The name as it stands in the archive.
    pub path: Vec<u8>,
    /// The type.
    pub kind: Kind,
    /// Owner, mode and time.
    pub metadata: Metadata,
    /// Extended attributes, each name once.
    pub xattrs: Vec<Xattr>,
}

impl Header {
    /// Bytes of names, link targets and extended attributes.
    pub fn memory(&self) -> u64 {
        let target = match &self.kind {
            Kind::Symlink(target) | Kind::HardLink(target) => target.len(),
            _ => 0,
        };
        let xattrs: usize = self.xattrs.iter().map(|xattr| xattr.name.len() + xattr.value.len()).sum();
        (self.path.len() + target + xattrs) as u64
    }
}

/// The type of an entry.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file; its content is next in the stream.
    File,
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// A hard link to this name.
    HardLink(Vec<u8>),
    /// A character device.
    CharacterDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
}

/// Owner, mode and time of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Permission, setid and sticky bits (`07777`).
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The time of the last change.
    pub time: Time,
}

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds behind them, less than a second.
    pub nanoseconds: u32,
}

/// A device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
}

/// An extended attribute, as system calls name it. Of access lists that cannot be one, the name is that of their record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xattr {
    /// Its name, with the namespace.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}
