//! The codes of errors.

nex_fault::codes! {
    /// What a client has said is no line of this version, or asks for nothing that there is.
    REQUEST = "supervisor-request";
    /// The guest has no channel to the host, so that nothing can be started in it.
    NO_CHANNEL = "supervisor-no-channel";
    /// The guest cannot be sent this signal.
    SIGNAL = "supervisor-signal";
    /// As many clients as a supervisor serves are connected already.
    TOO_MANY = "supervisor-too-many";
    /// The supervisor was killed, or cannot be started or asked.
    GONE = "supervisor-gone";
}
