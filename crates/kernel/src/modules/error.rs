//! What is wrong with a kernel's modules, in the user's terms.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there are no modules for a guest.
#[derive(Debug, Error)]
pub enum ModulesError {
    /// A file or directory cannot be read.
    #[error("cannot read '{}': {cause}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// The directory holds no modules.
    #[error("there are no kernel modules (*.ko) in '{}'; name the directory lib/modules/VERSION of the kernel", .0.display())]
    None(PathBuf),
    /// The modules are those of another kernel.
    #[error(
        "the modules in '{}' are of the kernel {found}, and this kernel is {wanted}; name the directory lib/modules/{wanted}",
        .directory.display()
    )]
    OfAnother {
        /// The directory.
        directory: PathBuf,
        /// Whose they are.
        found: String,
        /// The kernel's release.
        wanted: String,
    },
    /// A module's file is damaged.
    #[error("the kernel module '{}' cannot be unpacked: {cause}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: crate::Error,
    },
    /// A module is larger than it may be.
    #[error("the kernel module '{}' has more than {limit} bytes; one that is right and that large needs a higher --max-kernel", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest that is read or unpacked, in bytes.
        limit: u64,
    },
    /// The kernel has neither built in nor as a module what a guest needs.
    #[error(
        "the kernel has no {name}: there is no such module in '{}', and its list of what is built in lacks it; take \
         a kernel for virtual machines", .directory.display()
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
