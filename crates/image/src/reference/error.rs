//! Why a text names no image.

use std::ffi::OsString;
use std::path::PathBuf;

use nex_fault::{Code, Fault, Remedy};
use nex_registry::RegistryReferenceError;
use nex_text::short_name;

use crate::codes;

/// Why a text names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There was no text.
    #[error("the image reference is empty")]
    Empty,
    /// A path of this machine without a transport before it.
    #[error("{} is a {kind} here, not an image name", path.display())]
    LocalPath {
        /// The path as it was given.
        path: PathBuf,
        /// `file` or `directory`.
        kind: &'static str,
        /// The reference that was probably meant.
        suggestion: String,
    },
    /// A file of this machine that holds no image in any form.
    #[error("{} is a file here, {what}, and no image", path.display())]
    OtherFile {
        /// The path as it was given.
        path: PathBuf,
        /// What the file is.
        what: &'static str,
    },
    /// A text that can only be a path, and nothing is there.
    #[error("{} does not exist", path.display())]
    NoSuchPath {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A transport that other tools have.
    #[error("nex reads no image by the transport '{transport}:'")]
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
    #[error("{text:?} is no image index")]
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
    /// `nex:` with something else than a name.
    #[error("'{}' is no name of an installed image", short_name(text))]
    InstalledName {
        /// What stood there.
        text: String,
    },
    /// A registry reference that breaks the rules.
    #[error(transparent)]
    Registry(#[from] RegistryReferenceError),
}

impl Fault for ReferenceError {
    fn code(&self) -> Code {
        codes::BAD_REFERENCE
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Empty => {
                Remedy::say("try a name such as alpine:3.20, or oci:DIR, docker-archive:FILE, tar:FILE, rootfs:DIR")
            }
            Self::LocalPath { path, suggestion, .. } => {
                Remedy::say(format!("did you mean {suggestion}? (docker://{} asks a registry)", path.display()))
            }
            Self::OtherFile { .. } => Remedy::say(
                "an image is a name such as alpine:3.20, or oci:DIR, oci-archive:FILE, docker-archive:FILE, tar:FILE, rootfs:DIR",
            ),
            Self::NoSuchPath { .. } => Remedy::say(
                "a local image is named by oci:DIR, oci-archive:FILE, docker-archive:FILE, tar:FILE or rootfs:DIR",
            ),
            Self::UnsupportedTransport { instead, .. } => Remedy::say(*instead),
            Self::Index { .. } => Remedy::say("expected @0, @1, ..."),
            Self::InstalledName { .. } => {
                Remedy::say("a name has lower-case letters, digits, dots, underscores and hyphens, as in nex:default")
            }
            Self::Registry(error) => return error.remedy(),
            Self::NoPath { .. } | Self::NotText { .. } => return None,
        })
    }
}
