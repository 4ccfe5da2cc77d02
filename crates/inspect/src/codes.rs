//! Why a file cannot be read as a root filesystem, for programs.

nex_fault::codes! {
    /// The host does not give the bytes of the root filesystem's file.
    UNREADABLE = "root-unreadable";
    /// The file contains no ext4 file system.
    NOT_EXT4 = "root-not-ext4";
    /// The file ends before the file system in it does.
    CUT_OFF = "root-cut-off";
    /// The file system is damaged.
    DAMAGED = "root-damaged";
    /// The file system is ext4 of a form that nex does not read.
    UNSUPPORTED = "root-unsupported";
}
