//! What can go wrong on a channel, for programs.

nex_fault::codes! {
    /// The other end of a channel does not begin with nex's HELLO, or has no version in common with this end.
    NO_HELLO = "channel-no-hello";
    /// The other end of a channel sends an invalid frame, or a frame that is not allowed at this point.
    FRAME = "channel-frame";
    /// The other end of a channel sends more bytes than it has credit for.
    OVER_WINDOW = "channel-over-window";
    /// The channel cannot open another stream: it has not begun, has ended, or has its maximum of streams.
    NO_STREAM = "channel-no-stream";
}
