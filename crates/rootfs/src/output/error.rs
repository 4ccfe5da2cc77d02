//! Why a file cannot be written, in the user's terms.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// What a file is for: it decides how errors call it, and which flag they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The root filesystem.
    Image,
    /// The hash tree of dm-verity, when it does not stand in the image's file.
    HashTree,
}

impl Role {
    fn noun(self) -> &'static str {
        match self {
            Self::Image => "output",
            Self::HashTree => "hash file",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Image => "--output",
            Self::HashTree => "--verity-file",
        }
    }

    /// What such a file is called when nobody names it.
    pub(super) fn usual_name(self) -> &'static str {
        match self {
            Self::Image => "rootfs.ext4",
            Self::HashTree => "rootfs.verity",
        }
    }

    fn other_way(self) -> &'static str {
        match self {
            Self::Image => "use '--output -' and redirect",
            Self::HashTree => "name another with --verity-file",
        }
    }
}

/// Why the output, or the hash file beside it, cannot be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The directory is not there.
    #[error(
        "the directory '{}' of the {} does not exist; create it first, or choose another with {}",
        .directory.display(), .role.noun(), .role.flag()
    )]
    NoDirectory {
        /// The directory.
        directory: PathBuf,
        /// What should stand in it.
        role: Role,
    },
    /// The name is a directory's.
    #[error(
        "the {} '{}' is a directory; name a file in it, such as '{}'",
        .role.noun(), .path.display(), .path.join(.role.usual_name()).display()
    )]
    IsDirectory {
        /// The directory.
        path: PathBuf,
        /// What should have been a file.
        role: Role,
    },
    /// The name is that of a device, a pipe or a socket.
    #[error(
        "the {} '{}' is not a regular file, and nothing is written over it; {}",
        .role.noun(), .path.display(), .role.other_way()
    )]
    NotAFile {
        /// What stands there.
        path: PathBuf,
        /// What should have been a file.
        role: Role,
    },
    /// Two names for one file.
    #[error("the output and the hash file are both '{}'; name another with --verity-file, or append it with --verity", .0.display())]
    SameFile(PathBuf),
    /// Standard output is a terminal.
    #[error(
        "standard output is a terminal, and an image is not readable there; redirect it, or name a file with --output"
    )]
    Terminal,
    /// The disk is full.
    #[error("no space is left in '{}'; free some, or choose another place with {}", .directory.display(), .role.flag())]
    NoSpace {
        /// The directory.
        directory: PathBuf,
        /// What did not fit.
        role: Role,
    },
    /// The file system or `setrlimit(2)` sets a limit to files.
    #[error(
        "the {} is larger than a file may be in '{}'; raise the limit (ulimit -f), or choose another place with {}",
        .role.noun(), .directory.display(), .role.flag()
    )]
    FileTooLarge {
        /// The directory.
        directory: PathBuf,
        /// What is too large.
        role: Role,
    },
    /// Anything else.
    #[error("cannot write in '{}': {cause}", .place.display())]
    Io {
        /// The directory, or standard output.
        place: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
}
