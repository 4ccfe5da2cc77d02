//! The codes of this crate's errors.

nex_fault::codes! {
    /// The host does not read, write, cut or punch the file system's file.
    IO = "ext4-io";
    /// The file for a new file system has content already.
    NOT_EMPTY = "ext4-not-empty";
    /// The content does not fit into the requested size.
    TOO_SMALL = "ext4-too-small";
    /// The size that was requested, or that the content needs, is larger than the prepared maximum.
    TOO_LARGE = "ext4-too-large";
    /// A file system with this content cannot have so many, or so few, inodes.
    INODES = "ext4-inodes";
    /// A journal cannot have this size.
    JOURNAL_SIZE = "ext4-journal-size";
    /// More than half of the file system is reserved for root.
    RESERVED = "ext4-reserved";
    /// A file system of this size cannot be prepared for so much growth.
    GROWTH = "ext4-growth";
    /// A file is longer than ext4 can hold.
    FILE_TOO_LARGE = "ext4-file-too-large";
    /// A name is not possible in ext4.
    NAME = "ext4-name";
    /// The target of a symbolic link is not possible in ext4.
    LINK_TARGET = "ext4-link-target";
    /// Extended attributes are not possible in ext4.
    XATTRS = "ext4-xattrs";
    /// A device's number is not possible in ext4.
    DEVICE = "ext4-device";
    /// An inode has more names than ext4 can count.
    LINKS = "ext4-links";
    /// A directory has more names than its index can hold.
    DIRECTORY_TOO_LARGE = "ext4-directory-too-large";
    /// The files do not form a tree: a directory has two names, or two files claim a block.
    TREE = "ext4-tree";
    /// `/lost+found` is not a directory.
    LOST_AND_FOUND = "ext4-lost-and-found";
    /// The tree has more inodes than ext4 can number.
    TOO_MANY_INODES = "ext4-too-many-inodes";
    /// The host failed when a change was decided or about to be: the file system asks for recovery or repair.
    UNFINISHED = "ext4-unfinished";
    /// The file contains no ext4 file system.
    NOT_EXT4 = "ext4-not-ext4";
    /// The ext4 file system is of a kind that nex does not change.
    FOREIGN = "ext4-foreign";
    /// The ext4 file system is of a kind that nex does not read.
    UNSUPPORTED = "ext4-unsupported";
    /// Reading the file system takes more than the budget allows.
    OVER_BUDGET = "ext4-over-budget";
    /// A checksum or another value in the metadata of the file system is wrong.
    DAMAGED = "ext4-damaged";
    /// The file system is in use, or was not unmounted cleanly.
    IN_USE = "ext4-in-use";
    /// The file is shorter than the file system in it.
    CUT_OFF = "ext4-cut-off";
    /// dm-verity seals the file system.
    SEALED = "ext4-sealed";
    /// A change needs more free blocks than there are, or less scattered ones.
    NO_ROOM = "ext4-no-room";
    /// The requested size is smaller than the file system.
    SHRINK = "ext4-shrink";
    /// The requested size is larger than the file system can grow.
    PAST_BOUND = "ext4-past-bound";
    /// The new content is longer or shorter than it was when the change began.
    LENGTH_CHANGED = "ext4-length-changed";
    /// The file to be replaced is not a regular file.
    NOT_A_FILE = "ext4-not-a-file";
    /// The file to be replaced does not exist.
    NOT_FOUND = "ext4-not-found";
}
