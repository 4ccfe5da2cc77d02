//! The codes of errors.

nex_fault::codes! {
    /// The stream under the tar failed.
    UNREADABLE = "tar-unreadable";
    /// The tar is damaged, or cut short.
    DAMAGED = "tar-damaged";
    /// An entry breaks the format, or contradicts itself.
    INVALID = "tar-invalid";
    /// An entry is of a kind or a version that is not read.
    UNSUPPORTED = "tar-unsupported";
    /// An entry has more headers, or is in more pieces, than the limits allow.
    OVER_LIMIT = "tar-over-limit";
    /// No tar can say what is to be written.
    UNWRITABLE = "tar-unwritable";
}
