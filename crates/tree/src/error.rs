//! Why a tree or a tar is not copied.

use std::io;

use nex_fault::{Code, Fault, Remedy};

use crate::codes;

/// Why something is not packed or unpacked. Names in it are escaped.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The system refuses something.
    #[error("cannot {action} '{place}': {error}")]
    System {
        /// What was to be done: goes behind "cannot".
        action: &'static str,
        /// The name in the tar, or the path that the caller named.
        place: String,
        /// What the system says.
        error: io::Error,
    },
    /// What is copied and where it goes do not go together.
    #[error("cannot write '{place}': {why}")]
    Refused {
        /// The name in the tar, or the path that the caller named.
        place: String,
        /// Why.
        why: Refusal,
    },
    /// The path to be packed is of a kind that no tar has.
    #[error("cannot copy '{place}': it is a socket, and only the program that has made it can use one")]
    Socket {
        /// The path.
        place: String,
    },
    /// Something has an attribute or a number that no tar can hold.
    #[error("cannot copy '{place}': it {error}")]
    Unwritable {
        /// The name in the tar.
        place: String,
        /// What is wrong.
        error: nex_tar::WriteError,
    },
    /// The tar is damaged, breaks the format, or cannot be read.
    #[error("the tar cannot be read: {0}")]
    Tar(nex_tar::Error),
    /// The tar's reader is gone, or the system refuses it.
    #[error("the tar cannot be written: {0}")]
    Output(io::Error),
}

/// Why an entry of a tar is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name goes up.
    #[error("the name leads out of the directory")]
    Upwards,
    /// A copy has one root, and this is not below it.
    #[error("the tar is to be a copy of '{root}', which this name does not belong to")]
    Outside {
        /// The root's name.
        root: String,
    },
    /// The first name of a copy is no root.
    #[error("a copy begins with one file or directory, and this is not its name")]
    NoRoot,
    /// The tar has no entry.
    #[error("the tar is empty")]
    Empty,
    /// A symbolic link stands where a directory should be.
    #[error("a name on the way is a symbolic link, and nothing is written through one")]
    ThroughLink,
    /// Something else stands where a directory should be.
    #[error("a name on the way is no directory")]
    ThroughFile,
    /// A directory would take the place of another kind of file.
    #[error("there is something else than a directory, and a directory does not replace it")]
    DirectoryOverFile,
    /// Another kind of file would take the place of a directory.
    #[error("there is a directory, and nothing else replaces it")]
    FileOverDirectory,
    /// Something would take the place of a device.
    #[error("there is a device, and nothing replaces it")]
    OverDevice,
    /// The destination must be a directory.
    #[error("it is no directory")]
    NotADirectory,
    /// The destination must be there.
    #[error("there is no such directory")]
    NoDirectory,
    /// The directory that the destination is in must be there.
    #[error("the directory that it should be in is missing")]
    NoParent,
    /// The destination is a symbolic link that leads through too many others.
    #[error("it is a symbolic link that leads through too many others")]
    LinkLoop,
    /// The tar is a trap, most likely.
    #[error("it is deeper than any tree that programs use")]
    TooDeep,
    /// A hard link leads to a directory.
    #[error("it is a hard link to a directory")]
    LinkToDirectory,
}

impl TreeError {
    /// What the system refuses about a name.
    pub(crate) fn system(action: &'static str, place: &[u8], error: impl Into<io::Error>) -> Self {
        Self::System { action, place: nex_text::short_name(place), error: error.into() }
    }

    /// What is not written, and why.
    pub(crate) fn refused(place: &[u8], why: Refusal) -> Self {
        Self::Refused { place: nex_text::short_name(place), why }
    }
}

impl Fault for TreeError {
    fn code(&self) -> Code {
        match self {
            Self::System { .. } => codes::SYSTEM,
            Self::Refused { why, .. } => why.code(),
            Self::Socket { .. } => codes::KIND,
            Self::Unwritable { error, .. } => error.code(),
            Self::Tar(error) => error.code(),
            Self::Output(_) => codes::OUTPUT,
        }
    }

    /// Those of [`nex_tar::Error`] are for builds.
    fn remedy(&self) -> Option<Remedy> {
        let Self::Refused { why, .. } = self else { return None };
        match why {
            Refusal::ThroughLink => Some(Remedy::say("copy to where it leads")),
            Refusal::NoDirectory | Refusal::NoParent => Some(Remedy::say("make it first")),
            Refusal::DirectoryOverFile | Refusal::FileOverDirectory => {
                Some(Remedy::say("remove it first, or copy elsewhere"))
            }
            _ => None,
        }
    }
}

impl Refusal {
    fn code(&self) -> Code {
        match self {
            Self::Upwards | Self::Outside { .. } | Self::NoRoot => codes::OUTSIDE,
            Self::Empty => codes::EMPTY,
            _ => codes::DESTINATION,
        }
    }
}
