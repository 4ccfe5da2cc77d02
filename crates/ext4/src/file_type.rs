//! What an inode is, in the two codes that the disk has for it.

use crate::Kind;

/// The bits of a mode that are a type (`S_IFMT`).
const MODE_MASK: u16 = 0o170_000;

/// The type of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket's name.
    Socket,
    /// A symbolic link.
    Symlink,
}

impl FileType {
    const ALL: [Self; 7] = [
        Self::Regular,
        Self::Directory,
        Self::CharacterDevice,
        Self::BlockDevice,
        Self::Fifo,
        Self::Socket,
        Self::Symlink,
    ];

    /// The code in a directory entry (`EXT4_FT_*`).
    pub(crate) fn dirent(self) -> u8 {
        match self {
            Self::Regular => 1,
            Self::Directory => 2,
            Self::CharacterDevice => 3,
            Self::BlockDevice => 4,
            Self::Fifo => 5,
            Self::Socket => 6,
            Self::Symlink => 7,
        }
    }

    /// The type that the code in a directory entry says; `None` for a code that has no meaning, or says nothing.
    pub(crate) fn of_dirent(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|file_type| file_type.dirent() == code)
    }

    /// The code in the high bits of `i_mode` (`S_IFMT`).
    pub(crate) fn mode(self) -> u16 {
        match self {
            Self::Fifo => 0o010_000,
            Self::CharacterDevice => 0o020_000,
            Self::Directory => 0o040_000,
            Self::BlockDevice => 0o060_000,
            Self::Regular => 0o100_000,
            Self::Symlink => 0o120_000,
            Self::Socket => 0o140_000,
        }
    }

    /// The type that a mode's high bits say; `None` for a code that has no meaning.
    pub(crate) fn of(mode: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|file_type| file_type.mode() == mode & MODE_MASK)
    }
}

impl From<&Kind> for FileType {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::Directory(_) => Self::Directory,
            Kind::File(_) => Self::Regular,
            Kind::Symlink(_) => Self::Symlink,
            Kind::CharacterDevice(_) => Self::CharacterDevice,
            Kind::BlockDevice(_) => Self::BlockDevice,
            Kind::Fifo => Self::Fifo,
            Kind::Socket => Self::Socket,
        }
    }
}
