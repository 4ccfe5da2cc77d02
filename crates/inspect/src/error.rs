//! Why a file cannot be read as a root filesystem.

use std::io;

use nex_ext4::reader::Error;

/// Why a file, or a part of it, cannot be read as a root filesystem.
#[derive(Debug, thiserror::Error)]
pub enum RootFsError {
    /// The host does not give the bytes.
    #[error("{0}")]
    Host(#[from] io::Error),
    /// It holds no ext4.
    #[error("{0}")]
    NotExt4(String),
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
            Error::NotExt4 | Error::JournalDevice => Self::NotExt4(error.to_string()),
            Error::CutOff { length, size } => Self::CutOff { length, size },
            Error::Unsupported { .. } | Error::OverBudget { .. } => Self::Unsupported(error.to_string()),
            error => Self::Damaged(error.to_string()),
        }
    }
}
