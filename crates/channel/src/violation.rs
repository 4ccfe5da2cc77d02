//! What another end does against the rules, as facts.

use std::error::Error;
use std::fmt;

use nex_contract::MAX_REQUEST;
use nex_fault::{Code, Fault};

use crate::codes;
use crate::identity::{Flow, StreamId};
use crate::kind::Kind;
use crate::limits::MAX_STREAMS;

/// Why a session is over: the other end has broken a rule of `docs/channel.md`.
///
/// There is no lesser consequence. An end that is wrong about one stream may be wrong about each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The first bytes are not those of a HELLO, or the HELLO makes no sense.
    NoHello,
    /// The guest answers with this version, which is not one that the host offers.
    Version(u16),
    /// A frame of a kind that there is not in this version.
    UnknownKind(u8),
    /// A reserved field of a frame is not 0.
    Reserved(Kind),
    /// The flow that a frame of this kind cannot have.
    BadFlow(Kind, u8),
    /// The stream that a frame of this kind cannot have.
    BadStream(Kind, u32),
    /// The length that a frame of this kind cannot have, in bytes.
    BadLength(Kind, u32),
    /// The payload of a frame of this kind makes no sense.
    BadPayload(Kind),
    /// A HELLO inside of a session.
    SecondHello,
    /// Bytes behind CLOSE.
    BehindClose,
    /// A frame of a kind that only the other role sends.
    WrongRole(Kind),
    /// A frame for a stream that is not open.
    NotOpen(Kind, StreamId),
    /// A frame that has no place at this point of its stream.
    OutOfPlace(Kind, StreamId),
    /// The number of a new stream is not above all before it.
    NumberReused(StreamId),
    /// More streams are open than may be.
    TooManyStreams,
    /// A request is longer than may be.
    LongRequest(StreamId),
    /// More bytes of a flow than the window has room for.
    OverWindow(StreamId, Flow),
    /// More credit than the window is large.
    OverCredit(StreamId, Flow),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the other end of the channel ")?;
        match self {
            Self::NoHello => f.write_str("does not begin with a HELLO"),
            Self::Version(version) => write!(f, "answers with version {version}, which this end does not speak"),
            Self::UnknownKind(kind) => write!(f, "sends a frame of the unknown kind {kind}"),
            Self::Reserved(kind) => write!(f, "sends {kind} with a reserved field that is not 0"),
            Self::BadFlow(kind, flow) => write!(f, "sends {kind} with the flow {flow}, which it cannot have"),
            Self::BadStream(kind, stream) => write!(f, "sends {kind} for stream {stream}, which it cannot be for"),
            Self::BadLength(kind, length) => write!(f, "sends {kind} with a length of {length}, which it cannot have"),
            Self::BadPayload(kind) => write!(f, "sends {kind} with a payload that makes no sense"),
            Self::SecondHello => f.write_str("sends a second HELLO"),
            Self::BehindClose => f.write_str("goes on behind CLOSE"),
            Self::WrongRole(kind) => write!(f, "sends {kind}, which is this end's to send"),
            Self::NotOpen(kind, stream) => write!(f, "sends {kind} for stream {stream}, which is not open"),
            Self::OutOfPlace(kind, stream) => write!(f, "sends {kind} at the wrong point of stream {stream}"),
            Self::NumberReused(stream) => write!(f, "opens stream {stream}, whose number is not above all before it"),
            Self::TooManyStreams => write!(f, "opens more than {MAX_STREAMS} streams at once"),
            Self::LongRequest(stream) => {
                write!(f, "opens stream {stream} by a request of more than {MAX_REQUEST} bytes")
            }
            Self::OverWindow(stream, flow) => {
                write!(f, "sends more bytes of the {flow} of stream {stream} than it has credit for")
            }
            Self::OverCredit(stream, flow) => {
                write!(f, "gives more credit for the {flow} of stream {stream} than its window is large")
            }
        }
    }
}

impl Error for Violation {}

impl Fault for Violation {
    fn code(&self) -> Code {
        match self {
            Self::NoHello | Self::Version(_) => codes::NO_HELLO,
            Self::OverWindow(..) | Self::OverCredit(..) => codes::OVER_WINDOW,
            _ => codes::FRAME,
        }
    }
}
