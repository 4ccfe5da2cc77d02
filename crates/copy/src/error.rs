//! Why something is not copied.

use std::io;

use nex_channel::{OpenError, Violation};
use nex_fault::{Code, Fault, Remedy};
use nex_file::kind::FileKind;
use nex_tree::TreeError;

use crate::codes;

/// Why something is not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// This side cannot read or write.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The guest cannot, or does not do what it was asked for. The words are the guest's, escaped.
    #[error("the guest: {0}")]
    Guest(String),
    /// The guest does not keep to the channel's rules.
    #[error("the guest breaks a rule of the channel")]
    Violation(#[source] Violation),
    /// The guest cannot be asked.
    #[error("the guest cannot be asked")]
    Open(#[source] OpenError),
    /// The connection has ended, as it does when the guest does.
    #[error("the connection with the guest has ended in the middle of the copy")]
    Lost,
    /// The connection fails.
    #[error("the connection with the guest")]
    Connection(#[source] io::Error),
    /// Standard input cannot be read.
    #[error("standard input")]
    Input(#[source] io::Error),
    /// Standard input is compressed.
    #[error("standard input is {}, and must be a plain tar", .0.what)]
    Packed(&'static FileKind),
    /// Standard output cannot be written.
    #[error("standard output")]
    Output(#[source] io::Error),
}

impl Fault for CopyError {
    fn code(&self) -> Code {
        match self {
            Self::Tree(error) => error.code(),
            Self::Guest(_) => codes::GUEST,
            Self::Violation(_) | Self::Open(_) | Self::Lost | Self::Connection(_) => codes::CONNECTION,
            Self::Input(_) | Self::Packed(_) => codes::INPUT,
            Self::Output(_) => codes::OUTPUT,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Tree(error) => error.remedy(),
            Self::Packed(kind) => {
                let unpack = kind.unpack?;
                Some(Remedy::say(format!("unpack it on the way, by '{unpack}'")))
            }
            _ => None,
        }
    }
}
