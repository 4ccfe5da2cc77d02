//! What can go wrong on a channel, for programs.

nex_fault::codes! {
    /// The other end of a channel does not begin as one of nex's, or speaks no version of it that this end knows.
    NO_HELLO = "channel-no-hello";
    /// The other end of a channel sends what is no frame, or a frame that has no place where it stands.
    FRAME = "channel-frame";
    /// The other end of a channel sends more than it was given room for.
    OVER_WINDOW = "channel-over-window";
    /// The channel takes no further stream: it has not begun, has ended, or has as many as it can.
    NO_STREAM = "channel-no-stream";
}
