//! A cache of what registries have sent, so that it need not be sent again.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};

use nex_registry::Digest;

/// Caches blobs by their digests, and which digest a name had. It may forget anything at any time.
pub trait BlobCache: fmt::Debug + Send + Sync {
    /// A blob that is cached, at its beginning. Damage that it can have suffered since then should have been looked for; who
    /// reads it verifies its digest.
    fn blob(&self, digest: &Digest) -> Option<File>;

    /// A place for a blob that is about to be read, of so many bytes if that is known; `None` when it is not to be cached.
    fn new_blob(&self, digest: &Digest, size: Option<u64>) -> Option<Box<dyn NewBlob>>;

    /// Which digest the image of this name had when a registry was asked for the last time, and its media type.
    fn resolved(&self, name: &str) -> Option<Resolved>;

    /// Remembers which digest it has.
    fn set_resolved(&self, name: &str, resolved: &Resolved);
}

/// A blob on its way into the cache. What cannot be written is not cached, which is no error.
pub trait NewBlob: Write + Send {
    /// The same file, for reading at any place what has been written so far.
    ///
    /// # Errors
    /// When there is no descriptor to be had.
    fn reader(&self) -> io::Result<File>;

    /// All of it was written, and its digest is right: later builds may have it.
    fn commit(self: Box<Self>);
}

/// What a name was resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the manifest or index.
    pub digest: Digest,
    /// Its media type, if the registry said it.
    pub media_type: Option<String>,
}
