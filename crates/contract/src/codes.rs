//! What can be wrong with what host and guest agree on, for programs.

nex_fault::codes! {
    /// The program is not in the root filesystem.
    NOT_FOUND = "workload-not-found";
    /// The program exists, but cannot be executed.
    NOT_EXECUTABLE = "workload-not-executable";
    /// The program cannot start for another reason: its directory, its user, its limits.
    NOT_STARTED = "workload-not-started";
    /// The text names no restart policy.
    RESTART = "workload-restart";
    /// A word of nex's on the kernel's command line has a value that means nothing.
    WORD = "workload-word";
    /// A request to a guest is not understood, is over a limit, or asks for what makes no sense.
    REQUEST = "workload-request";
}
