//! What can be wrong with a kernel's file and with its modules, for programs.

nex_fault::codes! {
    /// The kernel's file cannot be read.
    UNREADABLE = "kernel-unreadable";
    /// The kernel's file, compressed or unpacked, is larger than the limit.
    TOO_LARGE = "kernel-too-large";
    /// The file is not a Linux kernel for an architecture that microVMs have.
    NOT_A_KERNEL = "kernel-not-a-kernel";
    /// The kernel's file is cut off or damaged, or its compressed content is.
    DAMAGED = "kernel-damaged";
    /// The kernel is compressed in a way that nex cannot undo.
    COMPRESSION = "kernel-compression";
    /// A kernel module or a directory of modules cannot be read.
    MODULES_UNREADABLE = "kernel-modules-unreadable";
    /// The directory holds no kernel modules.
    NO_MODULES = "kernel-no-modules";
    /// The modules belong to another kernel.
    OTHER_MODULES = "kernel-other-modules";
    /// The kernel has a driver that a guest needs neither built in nor as a module.
    LACKS_MODULE = "kernel-lacks-module";
    /// A kernel module is damaged.
    MODULE_DAMAGED = "kernel-module-damaged";
    /// A kernel module is larger than the limit.
    MODULE_TOO_LARGE = "kernel-module-too-large";
    /// The kernel's configuration cannot be read.
    NO_CONFIG = "kernel-config-unreadable";
    /// The kernel lacks something that no guest starts without.
    UNFIT = "kernel-unfit";
    /// Another kernel of the same release is installed.
    EXISTS = "kernel-exists";
    /// The kernel does not contain its release, or the release is not possible as a file name.
    NO_RELEASE = "kernel-without-release";
    /// The directory of installed kernels cannot be read or written.
    STORE = "kernel-store-unusable";
    /// Neither an installed kernel nor one of the distribution fits.
    NONE_FITS = "kernel-none-fits";
}
