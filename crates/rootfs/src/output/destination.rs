//! What the user named as the output.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use super::error::{OutputError, Role};
use super::target::{Target, create_in};
use super::unfinished::{Others, Unfinished};

/// Where the image goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output, not compressed.
    Stdout,
    /// A file.
    File {
        /// Its name.
        path: PathBuf,
        /// By the end of its name.
        compression: Compression,
    },
}

/// How the output is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: the image as it is, with holes.
    None,
    /// gzip, for names that end in `.gz`.
    Gzip,
    /// zstd, for names that end in `.zst`.
    Zstd,
}

impl Destination {
    /// Reads the value of `--output`: `-` is standard output, and the end of a name chooses the compression.
    pub fn new(output: &OsStr) -> Self {
        if output == "-" {
            return Self::Stdout;
        }
        let path = PathBuf::from(output);
        let compression = match path.extension().and_then(OsStr::to_str) {
            Some("gz") => Compression::Gzip,
            Some("zst" | "zstd") => Compression::Zstd,
            _ => Compression::None,
        };
        Self::File { path, compression }
    }

    /// Makes the file in which the image grows, where it can become the output. Whatever is wrong with the output shows
    /// here, before any work is done.
    ///
    /// # Errors
    /// When the output cannot be what the user named.
    pub fn create(&self) -> Result<Unfinished, OutputError> {
        match self.target() {
            Some(target) => target.create_for(match self {
                Self::File { compression: Compression::None, .. } => Others::AsUmaskHasIt,
                // Only what comes of it is the user's.
                _ => Others::Nobody,
            }),
            None if io::stdout().is_terminal() => Err(OutputError::Terminal),
            None => create_in(&std::env::temp_dir(), Role::Image, Others::Nobody),
        }
    }

    /// An error of the system, in the user's terms.
    pub fn error(&self, cause: io::Error) -> OutputError {
        match self.target() {
            Some(target) => target.error(cause),
            None => OutputError::Io { place: "standard output".into(), cause },
        }
    }

    /// The image's name when it is not compressed; a usual one for standard output.
    pub fn image_name(&self) -> PathBuf {
        match self {
            Self::Stdout => Role::Image.usual_name().into(),
            Self::File { path, compression: Compression::None } => path.clone(),
            Self::File { path, .. } => path.with_extension(""),
        }
    }

    /// The file that becomes the output, if it is one.
    pub(super) fn target(&self) -> Option<Target<'_>> {
        match self {
            Self::Stdout => None,
            Self::File { path, .. } => Some(Target { path, role: Role::Image }),
        }
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdout => f.write_str("-"),
            Self::File { path, .. } => path.display().fmt(f),
        }
    }
}
