//! Why a file cannot be read as a root filesystem.

use std::io;

use nex_ext4::reader::Error;
use nex_fault::{Code, Fault, Remedy, whole};

use crate::codes;

/// Why a file, or a part of it, cannot be read as a root filesystem.
#[derive(Debug, thiserror::Error)]
pub enum RootFsError {
    /// The host does not give the bytes.
    #[error(transparent)]
    Host(#[from] io::Error),
    /// It holds no ext4.
    #[error("{what}")]
    NotExt4 {
        /// What it is instead.
        what: String,
        /// How to get at a root filesystem by it.
        remedy: Option<Remedy>,
    },
    /// The file ends before the file system does.
    #[error("the file has {length} bytes, and the file system in it {size}")]
    CutOff {
        /// The file's length.
        length: u64,
        /// The file system's.
        size: u64,
    },
    /// It is ext4, and damaged.
    #[error("{0}")]
    Damaged(String),
    /// It is ext4 of a form that the reader does not know.
    #[error("{0}")]
    Unsupported(String),
}

impl From<Error> for RootFsError {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(cause) => Self::Host(cause),
            Error::NotExt4 | Error::JournalDevice => Self::NotExt4 { what: whole(&error), remedy: None },
            Error::CutOff { length, size } => Self::CutOff { length, size },
            Error::Unsupported { .. } | Error::OverBudget { .. } => Self::Unsupported(whole(&error)),
            error => Self::Damaged(whole(&error)),
        }
    }
}

impl Fault for RootFsError {
    fn code(&self) -> Code {
        match self {
            Self::Host(_) => codes::UNREADABLE,
            Self::NotExt4 { .. } => codes::NOT_EXT4,
            Self::CutOff { .. } => codes::CUT_OFF,
            Self::Damaged(_) => codes::DAMAGED,
            Self::Unsupported(_) => codes::UNSUPPORTED,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::NotExt4 { remedy, .. } => remedy.clone(),
            Self::Host(_) | Self::CutOff { .. } | Self::Damaged(_) | Self::Unsupported(_) => None,
        }
    }
}
