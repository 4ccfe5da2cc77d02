//! Why a file cannot be written, in the user's terms.

use std::io;
use std::path::PathBuf;

use nex_fault::{Code, Fault, Remedy, Setting};
use thiserror::Error;

use crate::codes;

/// What a file is for: it decides how errors call it, and which setting they name.
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

    fn setting(self) -> Setting {
        match self {
            Self::Image => Setting::Output,
            Self::HashTree => Setting::VerityFile,
        }
    }

    /// What such a file is called when nobody names it.
    pub(super) fn usual_name(self) -> &'static str {
        match self {
            Self::Image => "rootfs.ext4",
            Self::HashTree => "rootfs.verity",
        }
    }

    fn other_way(self) -> Remedy {
        match self {
            Self::Image => Remedy::say("use '").set(Setting::Output, "-").and("' and redirect"),
            Self::HashTree => Remedy::say("name another with").choose(Setting::VerityFile),
        }
    }
}

/// Why the output, or the hash file beside it, cannot be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The directory is not there.
    #[error("the directory '{}' of the {} does not exist", .directory.display(), .role.noun())]
    NoDirectory {
        /// The directory.
        directory: PathBuf,
        /// What should stand in it.
        role: Role,
    },
    /// The name is a directory's.
    #[error("the {} '{}' is a directory", .role.noun(), .path.display())]
    IsDirectory {
        /// The directory.
        path: PathBuf,
        /// What should have been a file.
        role: Role,
    },
    /// The name is that of a device, a pipe or a socket.
    #[error("the {} '{}' is not a regular file, and nothing is written over it", .role.noun(), .path.display())]
    NotAFile {
        /// What stands there.
        path: PathBuf,
        /// What should have been a file.
        role: Role,
    },
    /// Two names for one file.
    #[error("the output and the hash file are both '{}'", .0.display())]
    SameFile(PathBuf),
    /// Standard output is a terminal.
    #[error("standard output is a terminal, which cannot show an image")]
    Terminal,
    /// The disk is full.
    #[error("no space is left in '{}'", .directory.display())]
    NoSpace {
        /// The directory.
        directory: PathBuf,
        /// What did not fit.
        role: Role,
    },
    /// The file system or `setrlimit(2)` sets a limit to files.
    #[error("the {} is larger than a file may be in '{}'", .role.noun(), .directory.display())]
    FileTooLarge {
        /// The directory.
        directory: PathBuf,
        /// What is too large.
        role: Role,
    },
    /// Anything else.
    #[error("cannot write in '{}'", .place.display())]
    Io {
        /// The directory, or standard output.
        place: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
}

impl Fault for OutputError {
    fn code(&self) -> Code {
        match self {
            Self::NoDirectory { .. } => codes::OUTPUT_NO_DIRECTORY,
            Self::IsDirectory { .. } | Self::NotAFile { .. } => codes::OUTPUT_NOT_A_FILE,
            Self::SameFile(_) => codes::OUTPUT_SAME_FILE,
            Self::Terminal => codes::OUTPUT_TERMINAL,
            Self::NoSpace { .. } => codes::OUTPUT_NO_SPACE,
            Self::FileTooLarge { .. } => codes::OUTPUT_FILE_TOO_LARGE,
            Self::Io { .. } => codes::OUTPUT_IO,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::NoDirectory { role, .. } => {
                Remedy::say("create it first, or choose another with").choose(role.setting())
            }
            Self::IsDirectory { path, role } => {
                Remedy::say(format!("name a file in it, such as '{}'", path.join(role.usual_name()).display()))
            }
            Self::NotAFile { role, .. } => role.other_way(),
            Self::SameFile(_) => Remedy::say("name another with")
                .choose(Setting::VerityFile)
                .and(", or append it with")
                .allow(Setting::Verity),
            Self::Terminal => Remedy::say("redirect it, or name a file with").choose(Setting::Output),
            Self::NoSpace { role, .. } => Remedy::say("free some, or choose another place with").choose(role.setting()),
            Self::FileTooLarge { role, .. } => {
                Remedy::say("raise the limit (ulimit -f), or choose another place with").choose(role.setting())
            }
            Self::Io { .. } => return None,
        })
    }
}
