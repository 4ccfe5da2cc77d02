//! Why a guest cannot be asked, or does not do what it was asked for.

use std::io;

use nex_fault::{Code, Fault, Remedy};
use nex_supervise::api::{Failure, LineError};
use nex_supervise::{Id, LookupError, Reason, StateError};
use thiserror::Error;

use crate::codes;

/// Why a guest cannot be asked, or does not do what it was asked for.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No guest is meant, or several are.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The record cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The guest has ended.
    #[error("the guest {id} has ended: {reason}")]
    Ended {
        /// The guest.
        id: Id,
        /// Why it has ended.
        reason: Reason,
    },
    /// The guest runs in the foreground.
    #[error("the guest {0} runs in the foreground, so that its output is kept nowhere")]
    NotKept(Id),
    /// The supervisor says no.
    #[error("{}", words(.0))]
    Refused(Failure),
    /// The connection has ended without an answer, and yet the guest has not ended.
    #[error("the supervisor of the guest {0} has closed the connection")]
    Lost(Id),
    /// The supervisor does not answer.
    #[error("the supervisor of the guest {0} does not answer")]
    Silent(Id),
    /// The supervisor answers what is no answer.
    #[error("the supervisor of the guest {id} gives no answer that makes sense")]
    Nonsense {
        /// The guest.
        id: Id,
        /// What is wrong with the answer, where that is its form.
        #[source]
        cause: Option<LineError>,
    },
    /// The request has no form.
    #[error(transparent)]
    Request(LineError),
    /// The system refuses.
    #[error("cannot ask the supervisor of the guest {id}")]
    Io {
        /// The guest.
        id: Id,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
}

/// A failure without its remedy, which is given apart. The words are the supervisor's.
fn words(failure: &Failure) -> String {
    let all = std::iter::once(&failure.message).chain(&failure.causes);
    all.map(nex_text::in_one_line).collect::<Vec<_>>().join(": ")
}

impl Fault for ClientError {
    fn code(&self) -> Code {
        match self {
            Self::Lookup(error) => error.code(),
            Self::State(error) => error.code(),
            Self::Ended { .. } => codes::ENDED,
            Self::Refused(failure) => {
                let known = nex_supervise::api::codes::ALL.iter().find(|code| code.id() == failure.code);
                known.copied().unwrap_or(codes::REFUSED)
            }
            Self::NotKept(_) => codes::NOT_KEPT,
            Self::Lost(_) => codes::LOST,
            Self::Silent(_) => codes::SILENT,
            Self::Nonsense { cause: None, .. } => codes::REFUSED,
            Self::Nonsense { cause: Some(error), .. } | Self::Request(error) => error.code(),
            Self::Io { .. } => codes::IO,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Lookup(error) => error.remedy(),
            Self::State(error) => error.remedy(),
            Self::Refused(failure) => failure.hint.as_deref().map(nex_text::in_one_line).map(Remedy::say),
            Self::Nonsense { cause: Some(error), .. } | Self::Request(error) => error.remedy(),
            Self::Lost(_) | Self::Silent(_) => Some(Remedy::say("try again; 'ps' shows what its process does")),
            Self::NotKept(_) => Some(Remedy::say("attach to it, and see what it writes from then on")),
            Self::Ended { .. } | Self::Nonsense { cause: None, .. } | Self::Io { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use nex_fault::{Setting, advised};

    use super::*;

    #[test]
    fn what_a_supervisor_refuses_keeps_its_code_and_steers_no_terminal() {
        let failure = |code: &str| {
            let causes = vec!["the kernel has\nno vsock".into()];
            let (message, hint) = ("no \u{1b}[31mchannel".into(), Some("use another\u{7} kernel".into()));
            ClientError::Refused(Failure { code: code.into(), message, causes, hint })
        };
        let known = failure("supervisor-no-channel");
        assert_eq!(known.code(), nex_supervise::api::codes::NO_CHANNEL);
        let said = "no \\u{1b}[31mchannel: the kernel has; no vsock; use another\\u{7} kernel";
        assert_eq!(advised(&known, Setting::flag), said);
        assert_eq!(failure("supervisor-of-a-later-nex").code(), codes::REFUSED);
    }
}
