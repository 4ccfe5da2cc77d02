//! The codes of errors about kernels that are installed, or are to be.

nex_fault::codes! {
    /// The kernel's file cannot be read.
    UNREADABLE = "kernel-file-unreadable";
    /// The kernel's file has more bytes than the limit allows.
    TOO_LARGE = "kernel-file-too-large";
    /// There is no kernel for a guest in the file, or not all of it.
    UNUSABLE = "kernel-file-unusable";
    /// The kernel's configuration cannot be read.
    NO_CONFIG = "kernel-config-unreadable";
    /// The kernel lacks something that no guest starts without.
    UNFIT = "kernel-unfit";
    /// Another kernel of the same release is installed.
    EXISTS = "kernel-exists";
    /// The kernel does not tell its release, or one that no file can be named by.
    NO_RELEASE = "kernel-without-release";
    /// The directory of installed kernels cannot be read or written.
    STORE = "kernel-store-unusable";
    /// Neither an installed kernel nor one of the distribution fits.
    NONE = "kernel-none-fits";
}
