//! Why a program does not run in a guest, for programs.

nex_fault::codes! {
    /// This nex does not understand the root filesystem's agent.
    AGENT = "run-agent";
    /// The image's configuration is damaged, or something else.
    CONFIGURATION = "run-configuration";
    /// Neither the user nor the image names a program.
    NO_PROGRAM = "run-no-program";
    /// The program is process 1, and nobody would start it again.
    RESTART = "run-restart";
    /// A signal came before the guest ran.
    STOPPED = "run-stopped";
    /// nex cannot wait for signals.
    SIGNALS = "run-signals";
    /// The system does not let the supervisor serve the guest's clients.
    CLIENTS = "run-clients";
    /// The guest has no channel to the host. A program with standard input or a terminal needs one.
    NO_CHANNEL = "run-no-channel";
    /// There is no such program on this machine.
    NOT_FOUND = "run-program-not-found";
    /// The program is not a regular file, or nobody may execute it.
    NOT_EXECUTABLE = "run-program-not-executable";
    /// The program, or a file of the image that it needs, cannot be read.
    UNREADABLE = "run-program-unreadable";
    /// The program is for another architecture than the kernel.
    PROCESSOR = "run-program-processor";
    /// The image lacks a file that the program needs: its loader, libraries, or the interpreter of a script.
    LACKS = "run-program-lacks";
}
