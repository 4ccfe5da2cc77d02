//! Why a host opens no stream.

use std::error::Error;
use std::fmt;

use nex_contract::RequestError;
use nex_fault::{Code, Fault, Remedy};

use crate::codes;
use crate::limits::MAX_STREAMS;

/// Why a host opens no stream.
#[derive(Debug)]
pub enum OpenError {
    /// The guest has not answered yet, or the session is over.
    NoSession,
    /// As many streams are open as may be.
    TooManyStreams,
    /// The session has used up all numbers.
    NoNumber,
    /// The request is over a limit, or makes no sense.
    Request(RequestError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NoSession => f.write_str("there is no session with the guest"),
            Self::TooManyStreams => write!(f, "{MAX_STREAMS} requests to the guest are under way, which is the limit"),
            Self::NoNumber => f.write_str("the session with the guest has used up the numbers of its streams"),
            Self::Request(error) => error.fmt(f),
        }
    }
}

impl Error for OpenError {}

impl Fault for OpenError {
    fn code(&self) -> Code {
        match self {
            Self::NoSession | Self::TooManyStreams | Self::NoNumber => codes::NO_STREAM,
            Self::Request(error) => error.code(),
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::NoSession | Self::NoNumber => Some(Remedy::say("connect with it anew")),
            Self::TooManyStreams => Some(Remedy::say("wait until one of them has ended")),
            Self::Request(error) => error.remedy(),
        }
    }
}
