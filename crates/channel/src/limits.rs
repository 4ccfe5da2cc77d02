//! How large and how many.

/// The length of a frame's header, in bytes.
pub const HEADER: usize = 12;

/// The length of the payload of HELLO, in bytes.
pub const HELLO_PAYLOAD: usize = 24;

/// The most bytes behind the header of a frame.
pub const MAX_PAYLOAD: usize = 32 << 10;

/// The longest text of a frame, in bytes of UTF-8.
pub const MAX_TEXT: usize = 1024;

/// The most streams that may be open at once.
pub const MAX_STREAMS: usize = 64;

/// The most signals of a stream that may wait for room on the carrier.
pub const MAX_SIGNALS: usize = 16;

/// How many bytes of each flow an end takes before its consumer has taken any, unless it says otherwise.
pub const WINDOW: u32 = 256 << 10;

/// The largest window.
pub const MAX_WINDOW: u32 = 16 << 20;

/// The least room that an end writes into, in bytes: that of the longest frame which cannot be sent in parts.
pub const MIN_ROOM: usize = HEADER + 4 + MAX_TEXT;
