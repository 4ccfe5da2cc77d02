//! What a console can tell. `docs/console.md` lists the same for people.

use crate::{Rule, Severity};

macro_rules! rules {
    ($($name:ident $id:literal $severity:ident $meaning:literal)*) => {
        $(
            #[doc = $meaning]
            pub const $name: Rule = Rule { id: $id, severity: Severity::$severity, meaning: $meaning };
        )*

        /// All rules of the console, in the order of a boot.
        pub const CONSOLE_RULES: &[Rule] = &[$($name),*];
    };
}

rules! {
    CONSOLE_SILENT "console-silent" Error "The console is empty."
    KERNEL_STOPPED "kernel-stopped" Error "The console ends before the kernel has started an init."
    INITRAMFS_BROKEN "initramfs-broken" Error "The kernel cannot unpack its initramfs."
    INITRAMFS_WITHOUT_ROOT "initramfs-without-root" Error "The initramfs does not reach the root filesystem."
    NO_ROOT_DEVICE "no-root-device" Error "The kernel has no drive of the name on its command line."
    ROOT_WITHOUT_FILE_SYSTEM "root-without-file-system" Error "The root's drive has no file system that the kernel knows."
    ROOT_UNMOUNTABLE "root-unmountable" Error "The kernel cannot mount the root filesystem."
    UNSUPPORTED_FEATURE "unsupported-feature" Error "The file system has a feature that the kernel does not know."
    IMAGE_CUT_OFF "image-cut-off" Error "The drive is smaller than the file system on it."
    IMAGE_DAMAGED "image-damaged" Error "The file system is damaged."
    DRIVE_READ_ONLY "drive-read-only" Error "The file system has to be written to, and its drive is read only."
    IO_ERROR "io-error" Error "The drive fails to read or write."
    VERITY_MISMATCH "verity-mismatch" Error "Blocks do not fit the root hash."
    VERITY_UNAVAILABLE "verity-unavailable" Error "The kernel cannot set up dm-verity."
    ROOT_READ_ONLY "root-read-only" Warning "The root filesystem is read only, and a program tried to write to it."
    NO_INIT "no-init" Error "The kernel finds no init."
    INIT_MISSING "init-missing" Error "The init is not in the root filesystem."
    INIT_INTERPRETER_MISSING "init-interpreter-missing" Error "The init exists, but its loader or interpreter is missing."
    INIT_WRONG_FORMAT "init-wrong-format" Error "The init is not a program for this architecture."
    INIT_NOT_EXECUTABLE "init-not-executable" Error "The init may not be executed."
    INIT_UNSTARTABLE "init-unstartable" Error "The kernel cannot start the init."
    INIT_EXITED "init-exited" Error "The init has ended, and the kernel cannot run without an init."
    LIBRARY_MISSING "library-missing" Error "A program needs a shared library that is missing."
    PROGRAM_MISSING "program-missing" Error "The init starts a program that is missing."
    OUT_OF_MEMORY "out-of-memory" Error "The guest has too little memory."
    KERNEL_BUG "kernel-bug" Error "The kernel has had an internal error."
    KERNEL_PANIC "kernel-panic" Error "The kernel has panicked."
    STALLED "stalled" Warning "A part of the guest has made no progress for a long time."
    NO_DEV_CONSOLE "no-dev-console" Warning "The init was started without a console."
    CONSOLE_ELSEWHERE "console-elsewhere" Error "The output of the init and the agent goes to another console."
    DEVICE_MISSING "device-missing" Error "The init has waited for a drive that is missing."
    EMERGENCY_MODE "emergency-mode" Error "The init has stopped, and waits for somebody to log in."
    SERVICE_FAILED "service-failed" Warning "A service did not start."
    AGENT_CRASHED "agent-crashed" Error "The agent was killed by a signal."
    AGENT_FAILED "agent-failed" Error "The agent did not start, or could not do its work."
    AGENT_NOT_READY "agent-not-ready" Error "The agent runs, and its boot script has not ended."
    AGENT_SILENT "agent-silent" Error "The guest runs, and its agent has not reported."
    GUEST_ENDED "guest-ended" Error "The guest has ended before its agent has reported."
}
