//! The codes of errors.

nex_fault::codes! {
    /// A client has sent an invalid line, or an unknown request.
    REQUEST = "supervisor-request";
    /// The guest has no channel to the host, so nex cannot start programs in it.
    NO_CHANNEL = "supervisor-no-channel";
    /// The supervisor cannot send this signal to the guest.
    SIGNAL = "supervisor-signal";
    /// The supervisor has its maximum of clients already.
    TOO_MANY = "supervisor-too-many";
    /// The supervisor was killed, cannot be started, or cannot be reached.
    GONE = "supervisor-gone";
}
