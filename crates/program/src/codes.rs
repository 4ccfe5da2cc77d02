//! Why a file is no program that could run, for programs.

nex_fault::codes! {
    /// The file cannot be read.
    UNREADABLE = "program-unreadable";
    /// The file is neither ELF nor a script.
    UNKNOWN = "program-unknown";
    /// The file begins with `#!`, but the kernel does not accept that line, or reads it in an unintended way.
    SCRIPT = "program-script";
    /// The file is an ELF file, but damaged, cut short, or neither a program nor a library.
    BROKEN = "program-broken";
    /// The program needs libraries, and names no loader for them.
    NO_LOADER = "program-no-loader";
}
