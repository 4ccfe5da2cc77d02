//! The codes of this crate's errors.

nex_fault::codes! {
    /// The host does not read, write, cut or punch the file system's file.
    IO = "ext4-io";
    /// The file that a file system is to be written into holds something already.
    NOT_EMPTY = "ext4-not-empty";
    /// The content does not fit into the size that was asked for.
    TOO_SMALL = "ext4-too-small";
    /// The size that was asked for, or that the content needs, is past the largest one that was prepared.
    TOO_LARGE = "ext4-too-large";
    /// A file system with this content cannot have so many, or so few, inodes.
    INODES = "ext4-inodes";
    /// A journal cannot have this size.
    JOURNAL_SIZE = "ext4-journal-size";
    /// More is reserved for root than half of the file system.
    RESERVED = "ext4-reserved";
    /// A file system of this size cannot be prepared for so much growth.
    GROWTH = "ext4-growth";
    /// A file is longer than ext4 can hold.
    FILE_TOO_LARGE = "ext4-file-too-large";
    /// A name that ext4 cannot hold.
    NAME = "ext4-name";
    /// A symbolic link's target that ext4 cannot hold.
    LINK_TARGET = "ext4-link-target";
    /// Extended attributes that ext4 cannot hold.
    XATTRS = "ext4-xattrs";
    /// A device's number that ext4 cannot hold.
    DEVICE = "ext4-device";
    /// An inode has more names than ext4 can count.
    LINKS = "ext4-links";
    /// A directory has more names than its index can hold.
    DIRECTORY_TOO_LARGE = "ext4-directory-too-large";
    /// It is no tree: a directory has two names, or two files claim a block.
    TREE = "ext4-tree";
    /// `/lost+found` is not a directory.
    LOST_AND_FOUND = "ext4-lost-and-found";
    /// The tree has more inodes than ext4 can number.
    TOO_MANY_INODES = "ext4-too-many-inodes";
    /// The host failed when a change was decided or about to be: the file system asks for recovery or repair.
    UNFINISHED = "ext4-unfinished";
    /// The file holds no ext4 file system.
    NOT_EXT4 = "ext4-not-ext4";
    /// It is an ext4 file system of a kind that nex does not change.
    FOREIGN = "ext4-foreign";
    /// It is an ext4 file system of a kind that nex does not read.
    UNSUPPORTED = "ext4-unsupported";
    /// Reading the file system takes more than it may.
    OVER_BUDGET = "ext4-over-budget";
    /// What the file system says of itself does not hold.
    DAMAGED = "ext4-damaged";
    /// The file system is in use, or was not unmounted cleanly.
    IN_USE = "ext4-in-use";
    /// The file is shorter than the file system in it.
    CUT_OFF = "ext4-cut-off";
    /// dm-verity seals the file system.
    SEALED = "ext4-sealed";
    /// A change needs more free blocks than there are, or less scattered ones.
    NO_ROOM = "ext4-no-room";
    /// The size that was asked for is less than the file system has.
    SHRINK = "ext4-shrink";
    /// The size that was asked for is more than the file system can grow to.
    PAST_BOUND = "ext4-past-bound";
    /// The new content is longer or shorter than it was when the change began.
    LENGTH_CHANGED = "ext4-length-changed";
    /// What is to be replaced is not a regular file.
    NOT_A_FILE = "ext4-not-a-file";
    /// What is to be replaced does not exist.
    NOT_FOUND = "ext4-not-found";
}
