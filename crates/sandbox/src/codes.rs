//! The codes of this crate's errors.

nex_fault::codes! {
    /// The work directory of setup scripts cannot be used.
    WORK_DIR = "script-work-dir";
    /// The machine gives no user namespace to run setup scripts in.
    NO_USER_NAMESPACE = "script-no-user-namespace";
    /// The user namespace of setup scripts gets no ids.
    IDS = "script-ids";
    /// A step before or after the setup scripts failed.
    SET_UP = "script-set-up";
    /// A setup script ended with an exit code that is not 0, or by a signal.
    FAILED = "script-failed";
    /// A setup script took longer than the limit allows.
    TIME = "script-time";
    /// A setup script took more memory than the limit allows.
    MEMORY = "script-memory";
    /// A setup script used up nearly all free space of the disk, of bytes or of files.
    DISK = "script-disk";
    /// A setup script made more device nodes than the limit allows.
    DEVICES = "script-devices";
    /// nex can no longer measure how much a setup script takes.
    UNSEEN = "script-unseen";
    /// The tree of a setup script was removed while it was in use.
    GONE = "script-tree-gone";
    /// The tree of a setup script that failed cannot be kept.
    KEEP = "script-keep";
    /// There is no terminal for a shell in the image.
    TERMINAL = "script-terminal";
    /// The process that watches over setup scripts ended early.
    MONITOR = "script-monitor";
}
