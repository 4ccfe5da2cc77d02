//! The kinds of frames, and what the header of each may say.

use std::fmt;

use crate::limits::{HELLO_PAYLOAD, MAX_PAYLOAD, MAX_TEXT};

/// The kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Begins a session.
    Hello = 1,
    /// Opens a stream by a request.
    Open = 2,
    /// Says that the request is taken.
    Opened = 3,
    /// Bytes of a flow.
    Data = 4,
    /// The end of a flow.
    Eof = 5,
    /// Room for more bytes of a flow.
    Credit = 6,
    /// A signal for the program.
    Signal = 7,
    /// A new size of the terminal.
    Resize = 8,
    /// How it has ended.
    Exit = 9,
    /// A stream is given up, or refused.
    Reset = 10,
    /// Ends a session.
    Close = 11,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Hello,
        Self::Open,
        Self::Opened,
        Self::Data,
        Self::Eof,
        Self::Credit,
        Self::Signal,
        Self::Resize,
        Self::Exit,
        Self::Reset,
        Self::Close,
    ];

    /// Its number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether its frame is the session's, and no stream's.
    pub(crate) const fn is_of_session(self) -> bool {
        matches!(self, Self::Hello | Self::Close)
    }

    /// The highest flow that it may have.
    pub(crate) const fn max_flow(self) -> u8 {
        match self {
            Self::Data | Self::Eof | Self::Credit => 2,
            // Of a request, whether more of it follows.
            Self::Open => 1,
            _ => 0,
        }
    }

    /// The least and the greatest length of its payload, in bytes.
    pub(crate) const fn lengths(self) -> (usize, usize) {
        match self {
            Self::Hello => (HELLO_PAYLOAD, HELLO_PAYLOAD),
            Self::Open | Self::Data => (1, MAX_PAYLOAD),
            Self::Opened | Self::Eof | Self::Close => (0, 0),
            Self::Credit | Self::Signal | Self::Resize => (4, 4),
            Self::Exit => (4, 4 + MAX_TEXT),
            Self::Reset => (0, MAX_TEXT),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Hello => "HELLO",
            Self::Open => "OPEN",
            Self::Opened => "OPENED",
            Self::Data => "DATA",
            Self::Eof => "EOF",
            Self::Credit => "CREDIT",
            Self::Signal => "SIGNAL",
            Self::Resize => "RESIZE",
            Self::Exit => "EXIT",
            Self::Reset => "RESET",
            Self::Close => "CLOSE",
        })
    }
}
