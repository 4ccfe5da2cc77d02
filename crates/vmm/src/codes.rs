//! Why a VMM does not run a guest, for programs.

nex_fault::codes! {
    /// The VMM's program is not installed.
    MISSING = "vmm-missing";
    /// The VMM's program, or its jailer, is of a release that does not do.
    VERSION = "vmm-version";
    /// The VMM's program cannot be executed.
    NOT_RUN = "vmm-not-run";
    /// The VMM refuses the machine, or has failed to make it.
    REFUSED = "vmm-refused";
    /// The start was given up before the guest ran.
    INTERRUPTED = "vmm-interrupted";
    /// The VMM does not answer.
    SILENT = "vmm-silent";
    /// A file of the machine cannot be opened.
    UNREADABLE = "vmm-unreadable";
    /// A file's name, or a word for the kernel, cannot stand in the VMM's configuration or command line as it is.
    NAME = "vmm-name";
    /// There is no place for what the guest writes.
    NO_PLACE = "vmm-no-place";
    /// What a VMM needs beside the machine's own files cannot be made.
    PREPARATION = "vmm-preparation";
    /// A jail is root's to make.
    JAIL_NEEDS_ROOT = "vmm-jail-needs-root";
    /// The jail's user or group is one that no jail can have.
    JAIL_USER = "vmm-jail-user";
    /// A file that the guest writes is not the jail's user's, or cannot be brought into the jail.
    JAIL_FILE = "vmm-jail-file";
}
