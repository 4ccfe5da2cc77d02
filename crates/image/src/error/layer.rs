//! What can go wrong with a layer.

use std::io;

use super::{Error, Mismatch};
use crate::compression::Compression;
use crate::no_root::NoRoot;

/// What is wrong with a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Nobody wants it any more.
    #[error("it was cancelled")]
    Cancelled,
    /// The image has fewer layers.
    #[error("the image has only {layers} layers")]
    NoSuchLayer {
        /// How many there are.
        layers: usize,
    },
    /// The blob ends too early.
    #[error("the blob is cut short: expected {expected} bytes, got {got}")]
    CutShort {
        /// Bytes promised.
        expected: u64,
        /// Bytes there.
        got: u64,
    },
    /// The blob goes on too long.
    #[error("the blob is longer than the {expected} bytes that the manifest says")]
    TooLong {
        /// Bytes promised.
        expected: u64,
    },
    /// The blob has another digest.
    #[error("the blob is not what its digest says: {0}")]
    Digest(Box<Mismatch>),
    /// The tar has another digest than the config says.
    #[error("the decompressed tar is not what the config's diff_id says: {0}; the image was built wrong")]
    DiffId(Box<Mismatch>),
    /// The compressed data ends in the middle.
    #[error("the {compression} data ends in the middle")]
    Truncated {
        /// The compression.
        compression: Compression,
    },
    /// The compressed data is damaged.
    #[error("the {compression} data is damaged: {detail}")]
    Corrupt {
        /// The compression.
        compression: Compression,
        /// What the decompressor said.
        detail: String,
    },
    /// Something that is not compressed data follows the compressed data.
    #[error("something else follows the {compression} data")]
    TrailingGarbage {
        /// The compression.
        compression: Compression,
    },
    /// The blob starts with none of the forms known.
    #[error("the blob is {found}; a layer is a tar, plain or compressed by gzip or zstd")]
    NotALayer {
        /// What it looks like.
        found: &'static str,
    },
    /// What was named as the tar of a root filesystem is none.
    #[error(transparent)]
    NoRoot(Box<NoRoot>),
    /// More bytes than allowed come out of all layers.
    #[error("the layers unpack to more than the limit of {limit} bytes")]
    TooManyBytes {
        /// The limit.
        limit: u64,
    },
    /// A little data unpacks to very much.
    #[error("the layer unpacks to more than {limit} times its size, which only bombs do")]
    Ratio {
        /// The limit.
        limit: u64,
    },
    /// The standard input was read already.
    #[error("the standard input can be read only once")]
    ReadTwice,
    /// The blob could not be read.
    #[error("cannot read the blob")]
    Read(#[source] io::Error),
    /// A file below a root directory could not be read.
    #[error(transparent)]
    Tree(Box<Error>),
    /// The registry failed.
    #[error(transparent)]
    Registry(Box<nex_registry::Error>),
    /// A thread ended without a word.
    #[error("the thread that was to {stage} it stopped unexpectedly")]
    StageDied {
        /// What the thread did.
        stage: &'static str,
    },
    /// No thread could be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

impl LayerError {
    /// Whether the blob's bytes are to blame, which may be because they are not the promised ones.
    pub(crate) fn is_of_content(&self) -> bool {
        use LayerError::{Corrupt, NotALayer, Ratio, TrailingGarbage, Truncated};
        matches!(self, Corrupt { .. } | NotALayer { .. } | Ratio { .. } | TrailingGarbage { .. } | Truncated { .. })
    }

    /// The typed error that an `io::Error` of an earlier stage carries, or the plain one wrapped.
    pub(crate) fn from_io(error: io::Error) -> LayerError {
        match error.downcast::<LayerError>() {
            Ok(inner) => inner,
            Err(error) => match error.downcast::<nex_registry::Error>() {
                Ok(inner) => LayerError::Registry(Box::new(inner)),
                Err(error) => LayerError::Read(error),
            },
        }
    }
}
