//! Why a guest cannot be followed to its end.

use std::io;

use nex_fault::{Code, Fault, Remedy};
use nex_supervise::Reason;

use crate::codes;

/// Why a guest cannot be followed any more. It ends when its session is dropped.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The guest cannot be followed.
    #[error(transparent)]
    Guest(#[from] nex_guest::Error),
    /// It is not known whether the guest has to end.
    #[error("cannot wait for signals")]
    Stop(#[source] io::Error),
    /// The system does not let clients be served.
    #[error("cannot serve the guest's clients")]
    Clients(#[source] io::Error),
}

impl FollowError {
    /// Why there is no guest any more.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Guest(nex_guest::Error::NoRoom(_)) => Reason::NoSpace,
            Self::Guest(_) | Self::Stop(_) | Self::Clients(_) => Reason::VmmCrashed,
        }
    }
}

impl Fault for FollowError {
    fn code(&self) -> Code {
        match self {
            Self::Guest(error) => error.code(),
            Self::Stop(_) => codes::SIGNALS,
            Self::Clients(_) => codes::CLIENTS,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Guest(error) => error.remedy(),
            Self::Stop(_) | Self::Clients(_) => None,
        }
    }
}
