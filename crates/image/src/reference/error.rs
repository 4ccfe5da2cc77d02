//! Why a text names no image.

use std::ffi::OsString;
use std::path::PathBuf;

use nex_registry::RegistryReferenceError;

/// Why a text names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There was no text.
    #[error(
        "the image reference is empty; try a name such as alpine:3.20, or oci:DIR, docker-archive:FILE, tar:FILE, rootfs:DIR"
    )]
    Empty,
    /// A path of this machine without a transport before it.
    #[error("{} is a {kind} here, not an image name; did you mean {suggestion}? (docker://{} asks a registry)", path.display(), path.display())]
    LocalPath {
        /// The path as it was given.
        path: PathBuf,
        /// `file` or `directory`.
        kind: &'static str,
        /// The reference that was probably meant.
        suggestion: String,
    },
    /// A file of this machine that holds no image in any form.
    #[error(
        "{} is a file here, {what}, and no image; an image is a name such as alpine:3.20, or oci:DIR, oci-archive:FILE, \
         docker-archive:FILE, tar:FILE, rootfs:DIR", path.display()
    )]
    OtherFile {
        /// The path as it was given.
        path: PathBuf,
        /// What the file is.
        what: &'static str,
    },
    /// A text that can only be a path, and nothing is there.
    #[error("{} does not exist (a local image is named by oci:DIR, oci-archive:FILE, docker-archive:FILE, tar:FILE or rootfs:DIR)", path.display())]
    NoSuchPath {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A transport that other tools have.
    #[error("the transport {transport}: is not supported; {instead}")]
    UnsupportedTransport {
        /// The transport's name.
        transport: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// A transport without anything behind it.
    #[error("{transport}: needs a path behind the colon")]
    NoPath {
        /// The transport's name.
        transport: &'static str,
    },
    /// `@N` with something else than a number.
    #[error("{text:?} is no image index; expected @0, @1, ...")]
    Index {
        /// What stood there.
        text: String,
    },
    /// The tag or name behind a path is not UTF-8.
    #[error("the image name {} is not UTF-8", name.display())]
    NotText {
        /// The name's bytes.
        name: OsString,
    },
    /// A registry reference that breaks the rules.
    #[error(transparent)]
    Registry(#[from] RegistryReferenceError),
}
