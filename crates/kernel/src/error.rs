//! Why a file is no kernel, or its kernel cannot be had.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use nex_fault::{Code, Fault, Remedy, Setting};
use thiserror::Error;

use crate::{Compression, codes};

/// Why there is no kernel in a file.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the kernel '{}'", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// It is larger than it may be.
    #[error("'{}' has more than {limit} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest that is read, in bytes.
        limit: u64,
    },
    /// The kernel inside is larger than it may be.
    #[error("the kernel, which is compressed by {compression}, unpacks to more than {limit} bytes")]
    UnpacksTooLarge {
        /// How it is compressed.
        compression: Compression,
        /// The largest that is unpacked, in bytes.
        limit: u64,
    },
    /// It is something else.
    #[error("the file is no Linux kernel for x86_64 or aarch64: {found}")]
    NotAKernel {
        /// What it is instead.
        found: Cow<'static, str>,
        /// How the kernel is got out of it, or the right file in its place.
        remedy: Option<Remedy>,
    },
    /// A part of it stands outside it.
    #[error("the kernel's file is damaged: {what}")]
    Damaged {
        /// Which part.
        what: &'static str,
    },
    /// The kernel inside is compressed by something rare.
    #[error("the kernel inside is compressed by {0}, which nex cannot undo")]
    Unsupported(Compression),
    /// The compressed kernel cannot be unpacked.
    #[error("cannot unpack the kernel, which is compressed by {compression}")]
    Unpack {
        /// How it is compressed.
        compression: Compression,
        /// What is wrong.
        #[source]
        cause: io::Error,
    },
}

impl Error {
    /// The file is something else, and nothing more is known to do about it than to name another one.
    pub fn not_a_kernel(found: impl Into<Cow<'static, str>>) -> Self {
        Self::NotAKernel { found: found.into(), remedy: None }
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Read { .. } => codes::UNREADABLE,
            Self::TooLarge { .. } | Self::UnpacksTooLarge { .. } => codes::TOO_LARGE,
            Self::NotAKernel { .. } => codes::NOT_A_KERNEL,
            Self::Damaged { .. } | Self::Unpack { .. } => codes::DAMAGED,
            Self::Unsupported(_) => codes::COMPRESSION,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::TooLarge { .. } => Some(raise("a kernel that is right and that large needs a higher")),
            Self::UnpacksTooLarge { .. } => Some(raise("one that is right and that large needs a higher")),
            Self::NotAKernel { remedy, .. } => remedy.clone(),
            Self::Unsupported(_) => Some(Remedy::say("unpack it with the kernel's scripts/extract-vmlinux")),
            Self::Read { .. } | Self::Damaged { .. } | Self::Unpack { .. } => None,
        }
    }
}

/// A higher limit, behind these words.
pub fn raise(words: &'static str) -> Remedy {
    Remedy::say(words).raise(Setting::MaxKernel)
}

#[cfg(test)]
mod tests {
    use nex_fault::whole;

    use super::*;
    use crate::ModulesError;

    #[test]
    fn errors_say_what_is_wrong_and_programs_learn_what_to_do() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let cases: [(&dyn Fault, &str, Code, Option<&str>); 4] = [
            (
                &Error::Read { path: "vmlinux".into(), cause: denied() },
                "cannot read the kernel 'vmlinux': permission denied",
                codes::UNREADABLE,
                None,
            ),
            (
                &Error::UnpacksTooLarge { compression: Compression::Xz, limit: 7 },
                "the kernel, which is compressed by xz, unpacks to more than 7 bytes",
                codes::TOO_LARGE,
                Some("one that is right and that large needs a higher --max-kernel"),
            ),
            (
                &ModulesError::None("modules".into()),
                "there are no kernel modules (*.ko) in 'modules'",
                codes::NO_MODULES,
                Some("name the directory lib/modules/VERSION of the kernel"),
            ),
            (
                &ModulesError::Damaged {
                    path: "a.ko.gz".into(),
                    cause: Error::Unpack { compression: Compression::Gzip, cause: denied() },
                },
                "the kernel module 'a.ko.gz' cannot be unpacked: cannot unpack the kernel, which is compressed by gzip: permission denied",
                codes::MODULE_DAMAGED,
                None,
            ),
        ];
        for (error, fact, code, remedy) in cases {
            assert_eq!((whole(&error).as_str(), error.code()), (fact, code));
            let words = error.remedy().map(|remedy| remedy.words(Setting::flag));
            assert_eq!(words.as_deref(), remedy, "{fact}");
        }
    }
}
