//! What can go wrong: one variant per rule of the format that an input can break.

use std::fmt;
use std::io;

use nex_fault::{Code, Fault, Remedy, Setting};

use crate::options::Journal;
use crate::{BLOCK_SIZE, codes};

/// Why a file system could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host refused to read, write, cut or punch the file.
    #[error("cannot {action} the file system's file")]
    Io {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The host's answer.
        source: io::Error,
    },

    /// The writer was given a file that holds something already.
    #[error("the file system's file holds {size} bytes already")]
    NotEmpty {
        /// The file's length in bytes.
        size: u64,
    },

    /// Content and metadata do not fit into the size that was asked for.
    #[error("a file system of {size} bytes is too small: the content needs at least {needed} bytes")]
    TooSmall {
        /// The smallest size that works, in bytes.
        needed: u64,
        /// The size that was asked for, in bytes.
        size: u64,
    },

    /// The file system would be larger than the layout was prepared for.
    #[error("a file system of {size} bytes is too large for a layout that was prepared for {max_size} bytes")]
    TooLarge {
        /// The size that was asked for or that the content needs, in bytes.
        size: u64,
        /// The largest size that the layout allows, in bytes.
        max_size: u64,
    },

    /// So many inodes as were asked for cannot be had.
    #[error("a file system of this size takes {least} to {most} inodes, and not {wanted}")]
    InodeCount {
        /// How many were asked for.
        wanted: u64,
        /// How many the content needs.
        least: u64,
        /// How many the groups can hold.
        most: u64,
    },

    /// A journal as large as was asked for cannot be had.
    #[error(
        "a journal of {size} bytes is not possible: one takes {} to {} bytes (1,024 to 10,240,000 blocks)",
        Journal::MIN_BLOCKS * BLOCK_SIZE, Journal::MAX_BLOCKS * BLOCK_SIZE
    )]
    JournalSize {
        /// The size that was asked for, in bytes.
        size: u64,
    },

    /// Root's reserve is more than half of the file system, which e2fsck takes for damage.
    #[error("{reserved} bytes cannot be reserved for root: at most half of the file system, {most} bytes")]
    ReservedTooLarge {
        /// The reserve that was asked for, in bytes.
        reserved: u64,
        /// The largest reserve, in bytes.
        most: u64,
    },

    /// The resize inode cannot list the descriptors of so much growth.
    #[error(
        "growth to {max_size} bytes cannot be prepared: a file system of {size} bytes can keep descriptors for at most \
         {most} bytes"
    )]
    GrowthTooLarge {
        /// The size to grow to that was asked for, in bytes.
        max_size: u64,
        /// The file system's size in bytes.
        size: u64,
        /// The largest size to grow to, in bytes.
        most: u64,
    },

    /// A regular file is longer than the 2^32 blocks that an extent tree can address.
    #[error("a file of {size} bytes is longer than ext4 can hold (16 TiB)")]
    FileTooLarge {
        /// The file's size in bytes, as far as it is known.
        size: u64,
    },

    /// A name is empty, `.` or `..`, too long, or contains `/` or NUL.
    #[error("{path}: not a legal name: ext4 takes 1 to 255 bytes without '/' and NUL, other than '.' and '..'")]
    IllegalName {
        /// The path of the name.
        path: EscapedPath,
    },

    /// A symbolic link's target is empty, too long, or contains NUL.
    #[error("{path}: the symbolic link's target has {length} bytes; ext4 takes 1 to 4095 without NUL")]
    IllegalTarget {
        /// The path of the link.
        path: EscapedPath,
        /// The target's length in bytes.
        length: usize,
    },

    /// Extended attributes need more than the inode's room and one block, or one of them is not legal.
    #[error("{path}")]
    Xattrs {
        /// The path of the inode, under the first of its names.
        path: EscapedPath,
        /// Which rule is broken.
        source: XattrError,
    },

    /// A device's number has more bits than the disk keeps.
    #[error("{path}: device {major}:{minor}: ext4 keeps 12 bits of the first and 20 of the second number")]
    IllegalDevice {
        /// The path of the device.
        path: EscapedPath,
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },

    /// An inode has more names than ext4 can count.
    #[error("{path}: {links} hard links, and ext4 counts to 65000 (EXT4_LINK_MAX)")]
    TooManyLinks {
        /// The path of the inode, under the first of its names.
        path: EscapedPath,
        /// How many names it has.
        links: u32,
    },

    /// A directory has more names than its index can hold.
    #[error("{path}: the directory holds {names} names, more than its index can")]
    DirectoryTooLarge {
        /// The path of the directory.
        path: EscapedPath,
        /// How many names it holds.
        names: usize,
    },

    /// A directory has two names, or contains itself.
    #[error("{path}: a second name for a directory; ext4 allows one")]
    DirectoryLinkedTwice {
        /// The path of the second name.
        path: EscapedPath,
    },

    /// `/lost+found` exists and is not a directory; e2fsck needs a directory there.
    #[error("/lost+found is not a directory, and e2fsck needs one of that name")]
    LostAndFoundTaken,

    /// The tree needs more inodes than ext4 can number.
    #[error("{inodes} inodes are more than ext4 can number (2^32 - 1)")]
    TooManyInodes {
        /// How many inodes the tree needs.
        inodes: u64,
    },

    /// Two inodes claim the same blocks, or content comes from another writer.
    #[error("two files of the tree claim block {block}, or a file's content was placed by another writer")]
    ForeignContent {
        /// The block in question.
        block: u64,
    },
}

/// Why an inode's extended attributes cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XattrError {
    /// They need more room than the inode's tail and one block.
    #[error("the extended attributes need {needed} bytes, and one block holds {room}")]
    TooLarge {
        /// What the attributes need, in bytes.
        needed: usize,
        /// What a block offers, in bytes.
        room: usize,
    },
    /// A name has no prefix that ext4 knows, is too long, or is empty behind its prefix.
    #[error(
        "the extended attribute '{}' cannot be stored: ext4 takes user., trusted., security. and the POSIX ACLs, \
         with something behind the prefix and 255 bytes at most",
        nex_text::short_name(.name)
    )]
    IllegalName {
        /// The full name.
        name: Box<[u8]>,
    },
    /// A POSIX ACL's value does not follow the form of version 2.
    #[error("the value of '{}' is not a POSIX ACL of version 2", nex_text::short_name(.name))]
    IllegalAcl {
        /// The attribute's full name.
        name: Box<[u8]>,
    },
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Io { .. } => codes::IO,
            Self::NotEmpty { .. } => codes::NOT_EMPTY,
            Self::TooSmall { .. } => codes::TOO_SMALL,
            Self::TooLarge { .. } => codes::TOO_LARGE,
            Self::InodeCount { .. } => codes::INODES,
            Self::JournalSize { .. } => codes::JOURNAL_SIZE,
            Self::ReservedTooLarge { .. } => codes::RESERVED,
            Self::GrowthTooLarge { .. } => codes::GROWTH,
            Self::FileTooLarge { .. } => codes::FILE_TOO_LARGE,
            Self::IllegalName { .. } => codes::NAME,
            Self::IllegalTarget { .. } => codes::LINK_TARGET,
            Self::Xattrs { source, .. } => source.code(),
            Self::IllegalDevice { .. } => codes::DEVICE,
            Self::TooManyLinks { .. } => codes::LINKS,
            Self::DirectoryTooLarge { .. } => codes::DIRECTORY_TOO_LARGE,
            Self::DirectoryLinkedTwice { .. } | Self::ForeignContent { .. } => codes::TREE,
            Self::LostAndFoundTaken => codes::LOST_AND_FOUND,
            Self::TooManyInodes { .. } => codes::TOO_MANY_INODES,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        // Each is asked for by a setting of its own.
        let of = |words: &'static str| Remedy::say(words).and("(");
        Some(match self {
            Self::NotEmpty { .. } => Remedy::say("give an empty file"),
            Self::TooSmall { .. } => of("ask for that or more").raise(Setting::Size).and(")"),
            Self::TooLarge { .. } => of("prepare for a larger maximum size").raise(Setting::MaxSize).and(")"),
            Self::InodeCount { .. } => of("ask for a number between").choose(Setting::Inodes).and(")"),
            Self::JournalSize { .. } => {
                of("ask for a size between, or for no journal").choose(Setting::JournalSize).and(")")
            }
            Self::ReservedTooLarge { .. } => of("ask for less").lower(Setting::Reserved).and(")"),
            Self::GrowthTooLarge { .. } => {
                of("ask for that or less, or for a larger file system").lower(Setting::MaxSize).and(")")
            }
            Self::FileTooLarge { .. } => Remedy::say("leave it out or split it"),
            Self::IllegalName { .. } => Remedy::say("rename it"),
            Self::Xattrs { source, .. } => return source.remedy(),
            Self::IllegalDevice { .. } => Remedy::say("leave it out"),
            Self::TooManyLinks { .. } => Remedy::say("make some of them copies"),
            Self::DirectoryTooLarge { .. } => Remedy::say("spread them over several directories"),
            Self::LostAndFoundTaken => Remedy::say("rename the file"),
            Self::TooManyInodes { .. } => Remedy::say("leave files out"),
            Self::Io { .. }
            | Self::IllegalTarget { .. }
            | Self::DirectoryLinkedTwice { .. }
            | Self::ForeignContent { .. } => return None,
        })
    }
}

impl Fault for XattrError {
    fn code(&self) -> Code {
        codes::XATTRS
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::say(match self {
            Self::TooLarge { .. } => "make them shorter or fewer",
            Self::IllegalName { .. } => "drop it",
            Self::IllegalAcl { .. } => "repair or drop it",
        }))
    }
}

/// A path inside the file system; shown on one line, whatever its bytes are.
#[derive(Clone, PartialEq, Eq)]
pub struct EscapedPath(Box<[u8]>);

impl EscapedPath {
    /// The path as bytes, from `/` on.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for EscapedPath {
    fn from(path: Vec<u8>) -> Self {
        Self(path.into_boxed_slice())
    }
}

impl fmt::Display for EscapedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&nex_text::short_name(&self.0))
    }
}

impl fmt::Debug for EscapedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Turns the host's error into ours, with what was tried.
pub(crate) fn while_trying(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { action, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_on_one_line_whatever_their_bytes() {
        let path = EscapedPath::from(b"/\xc3\xa9t\xc3\xa9/a\n\xff".to_vec());
        assert_eq!(path.to_string(), "/été/a\\n\\xff");
    }

    /// What an error says, what it is, and what can be done about it.
    #[test]
    fn errors_are_facts_and_what_to_do_is_apart() {
        let said = |error: &dyn Fault| nex_fault::advised(error, Setting::flag);
        let inodes = Error::InodeCount { wanted: 5, least: 10, most: 20 };
        assert_eq!(
            said(&inodes),
            "a file system of this size takes 10 to 20 inodes, and not 5; ask for a number between (--inodes)"
        );
        assert_eq!(inodes.code().id(), "ext4-inodes");
        let source = XattrError::TooLarge { needed: 5000, room: 4000 };
        let xattrs = Error::Xattrs { path: b"/a".to_vec().into(), source };
        assert_eq!(
            said(&xattrs),
            "/a: the extended attributes need 5000 bytes, and one block holds 4000; make them shorter or fewer"
        );
        assert_eq!(xattrs.code().id(), "ext4-xattrs");
        let full = while_trying("write to")(io::ErrorKind::StorageFull.into());
        assert_eq!(said(&full), "cannot write to the file system's file: no storage space");
        assert_eq!(full.code().id(), "ext4-io");
    }
}
