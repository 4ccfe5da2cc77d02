//! Why a client does not get what it asks for.

use nex_fault::{Code, Fault, Remedy};
use nex_supervise::api::codes;
use thiserror::Error;

/// Why a client does not get what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Others are connected.
    #[error("64 clients are connected to the guest's supervisor, and it serves no more")]
    TooMany,
    /// The supervisor cannot reach the program.
    #[error("the guest's program cannot be sent a signal other than 9: {0}")]
    NoChannel(String),
    /// There is no such signal, or the program has enough of them.
    #[error("signal {0} cannot be sent")]
    Signal(u8),
}

impl Fault for Refusal {
    fn code(&self) -> Code {
        match self {
            Self::TooMany => codes::TOO_MANY,
            Self::NoChannel(_) => codes::NO_CHANNEL,
            Self::Signal(_) => codes::SIGNAL,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::say(match self {
            Self::TooMany => "end one of them",
            Self::NoChannel(_) => "stop the guest, which sends its program the stop signal",
            Self::Signal(_) => "signals have the numbers 1 to 64",
        }))
    }
}
