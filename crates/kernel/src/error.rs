//! Why a file is no kernel, or its kernel cannot be had.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::Compression;

/// Why there is no kernel in a file.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the kernel '{}': {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// It is larger than it may be.
    #[error("'{}' has more than {limit} bytes; a kernel that is right and that large needs a higher --max-kernel", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest that is read, in bytes.
        limit: u64,
    },
    /// The kernel inside is larger than it may be.
    #[error(
        "the kernel, which is compressed by {compression}, unpacks to more than {limit} bytes; one that is right and that large needs a higher --max-kernel"
    )]
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
    },
    /// A part of it stands outside it.
    #[error("the kernel's file is damaged: {what}")]
    Damaged {
        /// Which part.
        what: &'static str,
    },
    /// The kernel inside is compressed by something rare.
    #[error(
        "the kernel inside is compressed by {0}, which nex cannot undo; unpack it with the kernel's scripts/extract-vmlinux"
    )]
    Unsupported(Compression),
    /// The compressed kernel cannot be unpacked.
    #[error("cannot unpack the kernel, which is compressed by {compression}: {cause}")]
    Unpack {
        /// How it is compressed.
        compression: Compression,
        /// What is wrong.
        cause: io::Error,
    },
}
