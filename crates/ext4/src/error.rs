//! What can go wrong: one variant per rule of the format that an input can break.

use std::fmt;
use std::io;

use crate::BLOCK_SIZE;
use crate::options::Journal;

/// Why a file system could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host refused to read, write, cut or punch the file.
    #[error("cannot {action} the file system's file: {source}")]
    Io {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The host's answer.
        source: io::Error,
    },

    /// The writer was given a file that holds something already.
    #[error("the file system's file holds {size} bytes already; give an empty file")]
    NotEmpty {
        /// The file's length in bytes.
        size: u64,
    },

    /// Content and metadata do not fit into the size that was asked for.
    #[error(
        "a file system of {size} bytes is too small: the content needs at least {needed} bytes; ask for that or more"
    )]
    TooSmall {
        /// The smallest size that works, in bytes.
        needed: u64,
        /// The size that was asked for, in bytes.
        size: u64,
    },

    /// The file system would be larger than the layout was prepared for.
    #[error(
        "a file system of {size} bytes is too large for a layout that was prepared for {max_size} bytes; \
         prepare for a larger maximum size"
    )]
    TooLarge {
        /// The size that was asked for or that the content needs, in bytes.
        size: u64,
        /// The largest size that the layout allows, in bytes.
        max_size: u64,
    },

    /// So many inodes as were asked for cannot be had.
    #[error("{wanted} inodes cannot be had: such a file system takes {least} to {most}; ask for a number between")]
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
        "a journal of {size} bytes cannot be had: it takes {} to {} bytes (1,024 to 10,240,000 blocks); \
         ask for a size between, or for no journal",
        Journal::MIN_BLOCKS * BLOCK_SIZE, Journal::MAX_BLOCKS * BLOCK_SIZE
    )]
    JournalSize {
        /// The size that was asked for, in bytes.
        size: u64,
    },

    /// Root's reserve is more than half of the file system, which e2fsck takes for damage.
    #[error(
        "{reserved} bytes cannot be reserved for root: at most half of the file system, {most} bytes; ask for less"
    )]
    ReservedTooLarge {
        /// The reserve that was asked for, in bytes.
        reserved: u64,
        /// The largest reserve, in bytes.
        most: u64,
    },

    /// The resize inode cannot list the descriptors of so much growth.
    #[error(
        "growth to {max_size} bytes cannot be prepared: a file system of {size} bytes can keep descriptors for at most \
         {most} bytes; ask for that or less, or for a larger file system"
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
    #[error("a file of {size} bytes is longer than ext4 can hold (16 TiB); leave it out or split it")]
    FileTooLarge {
        /// The file's size in bytes, as far as it is known.
        size: u64,
    },

    /// A name is empty, `.` or `..`, too long, or contains `/` or NUL.
    #[error(
        "{path}: not a legal name: ext4 takes 1 to 255 bytes without '/' and NUL, other than '.' and '..'; rename it"
    )]
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
    #[error("{path}: {source}")]
    Xattrs {
        /// The path of the inode, under the first of its names.
        path: EscapedPath,
        /// Which rule is broken.
        source: XattrError,
    },

    /// A device's number has more bits than the disk keeps.
    #[error(
        "{path}: device {major}:{minor}: ext4 keeps 12 bits of the first and 20 of the second number; leave it out"
    )]
    IllegalDevice {
        /// The path of the device.
        path: EscapedPath,
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },

    /// An inode has more names than ext4 can count.
    #[error("{path}: {links} hard links, and ext4 counts to 65000 (EXT4_LINK_MAX); make some of them copies")]
    TooManyLinks {
        /// The path of the inode, under the first of its names.
        path: EscapedPath,
        /// How many names it has.
        links: u32,
    },

    /// A directory has more names than its index can hold.
    #[error("{path}: the directory holds {names} names, more than its index can; spread them over several directories")]
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
    #[error("/lost+found is not a directory, and e2fsck needs one of that name; rename the file")]
    LostAndFoundTaken,

    /// The tree needs more inodes than ext4 can number.
    #[error("{inodes} inodes are more than ext4 can number (2^32 - 1); leave files out")]
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
    #[error("the extended attributes need {needed} bytes, and one block holds {room}; make them shorter or fewer")]
    TooLarge {
        /// What the attributes need, in bytes.
        needed: usize,
        /// What a block offers, in bytes.
        room: usize,
    },
    /// A name has no prefix that ext4 knows, is too long, or is empty behind its prefix.
    #[error(
        "the extended attribute '{}' cannot be stored: ext4 takes user., trusted., security. and the POSIX ACLs, \
         with something behind the prefix and 255 bytes at most; drop it",
        nex_text::short_name(.name)
    )]
    IllegalName {
        /// The full name.
        name: Box<[u8]>,
    },
    /// A POSIX ACL's value does not follow the form of version 2.
    #[error("the value of '{}' is not a POSIX ACL of version 2; repair or drop it", nex_text::short_name(.name))]
    IllegalAcl {
        /// The attribute's full name.
        name: Box<[u8]>,
    },
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
}
