//! What can be wrong with a kernel's file and with its modules, for programs.

nex_fault::codes! {
    /// The kernel's file cannot be read.
    UNREADABLE = "kernel-unreadable";
    /// The kernel's file, or what is compressed in it, is larger than the limit.
    TOO_LARGE = "kernel-too-large";
    /// The file is something else than a Linux kernel for a processor that microVMs have.
    NOT_A_KERNEL = "kernel-not-a-kernel";
    /// The kernel's file is cut off or damaged, or what is compressed in it is.
    DAMAGED = "kernel-damaged";
    /// The kernel is compressed in a way that nex cannot undo.
    COMPRESSION = "kernel-compression";
    /// A kernel module or a directory of modules cannot be read.
    MODULES_UNREADABLE = "kernel-modules-unreadable";
    /// The directory holds no kernel modules.
    NO_MODULES = "kernel-no-modules";
    /// The modules belong to another kernel.
    OTHER_MODULES = "kernel-other-modules";
    /// The kernel has neither built in nor as a module what a guest needs.
    LACKS_MODULE = "kernel-lacks-module";
    /// A kernel module is damaged.
    MODULE_DAMAGED = "kernel-module-damaged";
    /// A kernel module is larger than the limit.
    MODULE_TOO_LARGE = "kernel-module-too-large";
}
