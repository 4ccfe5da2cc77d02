//! Why a VMM does not run a guest, for programs.

nex_fault::codes! {
    /// The VMM's program is not installed.
    MISSING = "vmm-missing";
    /// nex cannot use this release of the VMM's program, or of its jailer.
    VERSION = "vmm-version";
    /// The VMM's program cannot be executed.
    NOT_RUN = "vmm-not-run";
    /// The VMM refuses the machine, or has failed to make it.
    REFUSED = "vmm-refused";
    /// nex gave up the start before the guest ran.
    INTERRUPTED = "vmm-interrupted";
    /// The VMM does not answer.
    SILENT = "vmm-silent";
    /// A file of the machine cannot be opened.
    UNREADABLE = "vmm-unreadable";
    /// A file's name, or a word for the kernel, cannot be written into the VMM's configuration or command line.
    NAME = "vmm-name";
    /// There is no place for the data that the guest writes.
    NO_PLACE = "vmm-no-place";
    /// A file that a VMM needs beside the machine's own files cannot be made.
    PREPARATION = "vmm-preparation";
    /// Only root can make a jail.
    JAIL_NEEDS_ROOT = "vmm-jail-needs-root";
    /// A jail cannot have this user or group.
    JAIL_USER = "vmm-jail-user";
    /// A file that the guest writes does not belong to the jail's user, or cannot be put into the jail.
    JAIL_FILE = "vmm-jail-file";
}
