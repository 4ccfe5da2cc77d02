//! Why an existing file system cannot be read or changed.

use std::{fmt, io};

use nex_fault::{Code, Fault, Remedy};

use crate::codes;
use crate::error::EscapedPath;
use crate::file_type::FileType;
use crate::reader;

/// Why an existing file system was not changed. Nothing was, unless the error is [`Unfinished`](Self::Unfinished).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The host refused to read or write.
    #[error("cannot {action} the file system's file")]
    Io {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The host's answer.
        source: io::Error,
    },

    /// The host failed when the change was decided, or about to be.
    #[error("{outcome}")]
    Unfinished {
        /// Where the change stands.
        outcome: Outcome,
        /// What the host refused.
        source: Box<EditError>,
    },

    /// There is no ext4 file system.
    #[error("there is no ext4 file system in it")]
    NotExt4,

    /// The file system has a form that this crate does not write.
    #[error("nex does not change a file system of this kind: {what}")]
    Foreign {
        /// The feature or the field, in words.
        what: String,
    },

    /// What the file system says of itself does not hold.
    #[error("the file system is damaged: {what}")]
    Damaged {
        /// The structure, in words.
        what: String,
    },

    /// The journal holds changes that are not in place yet.
    #[error("the file system is mounted or in a running machine, or was not unmounted cleanly")]
    NeedsRecovery,

    /// The file system is marked as in use or as changed half-way.
    #[error(
        "the file system is mounted or in a running machine, or was not unmounted cleanly, or a change of it was cut \
         short"
    )]
    NotClean,

    /// The file is shorter than the file system in it.
    #[error("the file is cut off: it has {length} bytes, and the file system in it {size}")]
    CutOff {
        /// The file's length in bytes.
        length: u64,
        /// The file system's size in bytes.
        size: u64,
    },

    /// A dm-verity tree behind the file system seals every byte of it.
    #[error("a dm-verity tree behind the file system seals it, and any change breaks the seal")]
    Sealed,

    /// The new content needs more blocks than are free.
    #[error("no room: the new content takes {needed} blocks of 4 KiB beside the old one, and {free} are free")]
    NoRoom {
        /// Blocks that the content takes.
        needed: u64,
        /// Blocks that are free.
        free: u64,
    },

    /// The free blocks are so scattered that the journal cannot hold what has to change.
    #[error("the free blocks are too scattered: the change takes {needed} blocks of a journal that has {room}")]
    TooScattered {
        /// Blocks of the journal that the change takes.
        needed: usize,
        /// Blocks that the journal has.
        room: usize,
    },

    /// A file system grows; it does not shrink.
    #[error("the file system has {current} bytes already, and it cannot shrink to {size}")]
    Shrink {
        /// The size that was asked for, in bytes.
        size: u64,
        /// The file system's size in bytes.
        current: u64,
    },

    /// The file system cannot become so large.
    #[error("the file system can grow to {max_size} bytes, and not to {size}")]
    PastBound {
        /// The size that was asked for, in bytes.
        size: u64,
        /// The largest size in bytes that its block and inode numbers allow.
        max_size: u64,
    },

    /// The new content is longer than a file can be.
    #[error("a file of {size} bytes is longer than ext4 can hold (16 TiB)")]
    TooLarge {
        /// The content's length in bytes.
        size: u64,
    },

    /// There were more or fewer bytes than was said beforehand.
    #[error("the new content is not the {expected} bytes long that it was")]
    LengthChanged {
        /// What was said, in bytes.
        expected: u64,
    },

    /// The path is not a regular file's.
    #[error("{path} in the file system is {}, and not a regular file", describe(*.file_type))]
    NotAFile {
        /// The path.
        path: EscapedPath,
        /// What it is.
        file_type: FileType,
    },

    /// No file has the path.
    #[error("there is no {path} in the file system")]
    NotFound {
        /// The path.
        path: EscapedPath,
    },
}

/// Where a change stands that the host did not let finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The host failed at the commit: it may have happened, or not.
    Open,
    /// The host failed after the commit.
    Decided,
    /// The host failed when no journal could finish the change.
    CutShort,
}

impl Outcome {
    fn remedy(self) -> &'static str {
        match self {
            Self::Open => "once the host can write again, 'e2fsck -p' makes it, or leaves all as it was",
            Self::Decided => "once the host can write again, 'e2fsck -p' finishes it",
            Self::CutShort => "once the host can write again, have the file system repaired by 'e2fsck -f'",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "whether the change is made is open",
            Self::Decided => "the change is decided but not finished",
            Self::CutShort => "the change is cut short",
        })
    }
}

fn describe(file_type: FileType) -> &'static str {
    match file_type {
        FileType::Regular => "a regular file",
        FileType::Directory => "a directory",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::Symlink => "a symbolic link",
    }
}

impl EditError {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    /// Wraps an error after which the file system is no longer as it was.
    pub(crate) fn unfinished(outcome: Outcome) -> impl FnOnce(Self) -> Self {
        move |source| Self::Unfinished { outcome, source: Box::new(source) }
    }

    pub(crate) fn foreign(what: impl Into<String>) -> Self {
        Self::Foreign { what: what.into() }
    }
}

impl Fault for EditError {
    fn code(&self) -> Code {
        match self {
            Self::Io { .. } => codes::IO,
            Self::Unfinished { .. } => codes::UNFINISHED,
            Self::NotExt4 => codes::NOT_EXT4,
            Self::Foreign { .. } => codes::FOREIGN,
            Self::Damaged { .. } => codes::DAMAGED,
            Self::NeedsRecovery | Self::NotClean => codes::IN_USE,
            Self::CutOff { .. } => codes::CUT_OFF,
            Self::Sealed => codes::SEALED,
            Self::NoRoom { .. } | Self::TooScattered { .. } => codes::NO_ROOM,
            Self::Shrink { .. } => codes::SHRINK,
            Self::PastBound { .. } => codes::PAST_BOUND,
            Self::TooLarge { .. } => codes::FILE_TOO_LARGE,
            Self::LengthChanged { .. } => codes::LENGTH_CHANGED,
            Self::NotAFile { .. } => codes::NOT_A_FILE,
            Self::NotFound { .. } => codes::NOT_FOUND,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::say(match self {
            Self::Unfinished { outcome, .. } => outcome.remedy(),
            Self::NotExt4 => "name a file that nex made",
            Self::Foreign { .. } | Self::Sealed => "make it anew",
            Self::Damaged { .. } => "have it repaired by 'e2fsck -f'",
            Self::NeedsRecovery => {
                "stop whoever uses it; if nobody does, 'e2fsck -p' or mounting it once puts its journal into effect"
            }
            Self::NotClean => "stop whoever uses it; if nobody does, have it repaired by 'e2fsck -f'",
            Self::CutOff { .. } => "take a whole copy",
            Self::NoRoom { .. } | Self::TooScattered { .. } => "make the file system larger first",
            Self::Shrink { .. } => "ask for more, or make it anew",
            Self::PastBound { .. } => "ask for that or less",
            Self::LengthChanged { .. } => "try again",
            Self::Io { .. } | Self::TooLarge { .. } | Self::NotAFile { .. } | Self::NotFound { .. } => return None,
        }))
    }
}

impl From<reader::Error> for EditError {
    fn from(error: reader::Error) -> Self {
        use reader::Error;
        match error {
            Error::Io(source) => Self::Io { action: "read from", source },
            Error::NotExt4 | Error::JournalDevice => Self::NotExt4,
            Error::CutOff { length, size } => Self::CutOff { length, size },
            Error::Checksum { .. } | Error::Damaged { .. } => Self::damaged(error.to_string()),
            Error::Unsupported { .. } | Error::OverBudget { .. } => Self::foreign(error.to_string()),
        }
    }
}

/// Turns the host's error into ours, with what was tried.
pub(crate) fn while_trying(action: &'static str) -> impl FnOnce(io::Error) -> EditError {
    move |source| EditError::Io { action, source }
}
