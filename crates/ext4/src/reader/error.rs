//! Why a file system cannot be read.

use std::io;

use nex_fault::{Code, Fault};

use crate::codes;

/// Why a file system, or a part of it, cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host does not give the bytes.
    #[error("cannot read from the file system's file")]
    Io(#[from] io::Error),

    /// There is no ext4 superblock at byte 1024.
    #[error("no ext4 superblock stands at byte 1024")]
    NotExt4,

    /// It is a journal alone (`journal_dev`).
    #[error("it is the journal of another file system (journal_dev)")]
    JournalDevice,

    /// The file is shorter than the file system in it.
    #[error("the file has {length} bytes, and the file system in it {size}")]
    CutOff {
        /// The file's length in bytes.
        length: u64,
        /// The file system's size in bytes.
        size: u64,
    },

    /// A structure does not have the checksum that stands in it.
    #[error("the checksum of {what} is wrong")]
    Checksum {
        /// The structure, in words.
        what: String,
    },

    /// What the file system says of itself does not hold.
    #[error("{what}")]
    Damaged {
        /// What does not hold, in words.
        what: String,
    },

    /// It is ext4 of a form that this reader does not know.
    #[error("{what}")]
    Unsupported {
        /// The form, by the kernel's name.
        what: String,
    },

    /// Reading on would cost more than the [`Budget`](super::Budget) has.
    #[error("more than {limit} {what} of it would have to be read")]
    OverBudget {
        /// What the budget had in all.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
}

impl Error {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Io(_) => codes::IO,
            Self::NotExt4 | Self::JournalDevice => codes::NOT_EXT4,
            Self::CutOff { .. } => codes::CUT_OFF,
            Self::Checksum { .. } | Self::Damaged { .. } => codes::DAMAGED,
            Self::Unsupported { .. } => codes::UNSUPPORTED,
            Self::OverBudget { .. } => codes::OVER_BUDGET,
        }
    }
}
