//! What is wrong with a kernel's modules, in the user's terms.

use std::io;
use std::path::PathBuf;

use nex_fault::{Code, Fault, Remedy};
use thiserror::Error;

use crate::codes;
use crate::error::raise;

/// Why there are no modules for a guest.
#[derive(Debug, Error)]
pub enum ModulesError {
    /// A file or directory cannot be read.
    #[error("cannot read '{}'", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// The directory holds no modules.
    #[error("there are no kernel modules (*.ko) in '{}'", .0.display())]
    None(PathBuf),
    /// The modules are those of another kernel.
    #[error("the modules in '{}' are of the kernel {found}, and this kernel is {wanted}", .directory.display())]
    OfAnother {
        /// The directory.
        directory: PathBuf,
        /// Whose they are.
        found: String,
        /// The kernel's release.
        wanted: String,
    },
    /// A module's file is damaged.
    #[error("the kernel module '{}' cannot be unpacked", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        cause: crate::Error,
    },
    /// A module is larger than it may be.
    #[error("the kernel module '{}' has more than {limit} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest that is read or unpacked, in bytes.
        limit: u64,
    },
    /// The kernel has neither built in nor as a module what a guest needs.
    #[error(
        "the kernel has no {name}: there is no such module in '{}', and its list of what is built in lacks it",
        .directory.display()
    )]
    Lacks {
        /// The module.
        name: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
}

impl ModulesError {
    /// Says which file cannot be read.
    pub(super) fn read(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |cause| Self::Read { path, cause }
    }
}

impl Fault for ModulesError {
    fn code(&self) -> Code {
        match self {
            Self::Read { .. } => codes::MODULES_UNREADABLE,
            Self::None(_) => codes::NO_MODULES,
            Self::OfAnother { .. } => codes::OTHER_MODULES,
            Self::Damaged { .. } => codes::MODULE_DAMAGED,
            Self::TooLarge { .. } => codes::MODULE_TOO_LARGE,
            Self::Lacks { .. } => codes::LACKS_MODULE,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::None(_) => Some(Remedy::say("name the directory lib/modules/VERSION of the kernel")),
            Self::OfAnother { wanted, .. } => Some(Remedy::say(format!("name the directory lib/modules/{wanted}"))),
            Self::TooLarge { .. } => Some(raise("one that is right and that large needs a higher")),
            Self::Lacks { .. } => Some(Remedy::say("take a kernel for virtual machines")),
            Self::Damaged { cause, .. } => cause.remedy(),
            Self::Read { .. } => None,
        }
    }
}
