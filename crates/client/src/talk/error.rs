//! Why a talk has come to no end of its own.

use std::error::Error;
use std::{fmt, io};

use nex_channel::{Flow, OpenError, Violation};
use nex_fault::{Code, Fault, Remedy};

use crate::codes;

/// Why a talk has come to no end of its own. Words of a guest are in it as they came; [`Display`](fmt::Display) escapes them.
#[derive(Debug)]
pub enum TalkError {
    /// The request cannot be made.
    Open(OpenError),
    /// The other end refuses the request, in these words.
    Refused(String),
    /// The other end has taken the request, and then given it up, in these words.
    GivenUp(String),
    /// The connection has ended.
    Lost,
    /// The other end breaks the rules of the channel.
    Violation(Violation),
    /// The connection cannot be used.
    Connection(io::Error),
    /// Standard input cannot be read.
    Input(io::Error),
    /// Standard output or standard error cannot be written.
    Output(Flow, io::Error),
    /// The terminal cannot be had.
    Terminal(io::Error),
    /// Signals cannot be caught.
    Signals(io::Error),
    /// There is no waiting.
    Wait(io::Error),
}

impl fmt::Display for TalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Refused(words) => write!(f, "the guest refuses the request: {}", nex_text::in_one_line(words)),
            Self::GivenUp(words) => {
                write!(f, "the guest has given up what it was asked for: {}", nex_text::in_one_line(words))
            }
            Self::Lost => f.write_str("the connection with the guest has ended"),
            Self::Violation(_) => f.write_str("the connection with the guest cannot be understood"),
            Self::Connection(_) => f.write_str("cannot use the connection with the guest"),
            Self::Input(_) => f.write_str("cannot read standard input"),
            Self::Output(flow, _) => write!(f, "cannot write to {flow}"),
            Self::Terminal(_) => f.write_str("cannot pass the terminal's keys on"),
            Self::Signals(_) => f.write_str("cannot catch signals"),
            Self::Wait(_) => f.write_str("cannot wait for the guest"),
        }
    }
}

impl Error for TalkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open(error) => error.source(),
            Self::Refused(_) | Self::GivenUp(_) | Self::Lost => None,
            Self::Violation(violation) => Some(violation),
            Self::Connection(error)
            | Self::Input(error)
            | Self::Output(_, error)
            | Self::Terminal(error)
            | Self::Signals(error)
            | Self::Wait(error) => Some(error),
        }
    }
}

impl Fault for TalkError {
    fn code(&self) -> Code {
        match self {
            Self::Open(error) => error.code(),
            Self::Refused(_) | Self::GivenUp(_) => codes::REFUSED,
            Self::Lost => codes::LOST,
            Self::Violation(violation) => violation.code(),
            Self::Output(..) => codes::OUTPUT,
            Self::Connection(_) | Self::Input(_) | Self::Terminal(_) | Self::Signals(_) | Self::Wait(_) => codes::IO,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Open(error) => error.remedy(),
            Self::Lost => Some(Remedy::say("see whether the guest has ended, and why")),
            _ => None,
        }
    }
}
