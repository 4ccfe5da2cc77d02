//! Where what registries have sent is kept, so that it need not be sent again.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};

use nex_registry::Digest;

/// A place that keeps blobs by their digests, and which digest a name had. It may forget anything at any time.
pub trait Keep: fmt::Debug + Send + Sync {
    /// A blob that was kept, at its beginning. Damage that it can have suffered since then should have been looked for; its
    /// digest is verified by whoever reads it.
    fn blob(&self, digest: &Digest) -> Option<File>;

    /// A place for a blob that is about to be read, of so many bytes if that is known; `None` when it is not to be kept.
    fn new_blob(&self, digest: &Digest, size: Option<u64>) -> Option<Box<dyn NewBlob>>;

    /// Which digest the image of this name had when a registry was asked for the last time, and its media type.
    fn reference(&self, name: &str) -> Option<Known>;

    /// Keeps which digest it has.
    fn keep_reference(&self, name: &str, known: &Known);
}

/// A blob on its way. What cannot be written is not kept, which is no error.
pub trait NewBlob: Write + Send {
    /// The same file, for reading at any place what has been written so far.
    ///
    /// # Errors
    /// When there is no descriptor to be had.
    fn reader(&self) -> io::Result<File>;

    /// All of it was written, and its digest is right.
    fn keep(self: Box<Self>);
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The digest of the manifest or index.
    pub digest: Digest,
    /// Its media type, if the registry said it.
    pub media_type: Option<String>,
}
