//! Where a layer's bytes come from, and where they may wait or stay.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use nex_registry::{Digest, Error, Registry};

use super::repeated::{HeldBlob, Repeated, UnnamedBlob};
use super::spool::{Spool, has_room, unnamed};
use crate::blob_cache::{BlobCache, NewBlob};

/// A registry, and the places for what it sends.
pub(super) struct Supply {
    pub(super) registry: Registry,
    pub(super) cache: Option<Arc<dyn BlobCache>>,
    /// A directory for files without names.
    pub(super) aside: Option<PathBuf>,
    /// Bytes of all layers that will be read, once that is known.
    pub(super) total: OnceLock<u64>,
    /// Blobs that will be read more than once.
    pub(super) repeated: Arc<Repeated>,
}

impl Supply {
    /// The blob as an earlier build has cached it, or an earlier layer holds it.
    pub(super) fn find(&self, digest: &Digest) -> Option<File> {
        let held = self.repeated.find(digest);
        held.or_else(|| self.cache.as_ref()?.blob(digest))
    }

    /// The place of the blob in the cache.
    pub(super) fn new_blob(&self, digest: &Digest, size: u64) -> Option<Box<dyn NewBlob>> {
        let cached = self.cache.as_ref().and_then(|cache| cache.new_blob(digest, Some(size)));
        if !self.repeated.has(digest) {
            return cached;
        }
        let blob = cached.or_else(|| Some(Box::new(UnnamedBlob(unnamed(self.directory(size)?)?))))?;
        Some(Box::new(HeldBlob { blob, digest: *digest, repeated: Arc::clone(&self.repeated) }))
    }

    /// Where so many bytes may wait.
    fn directory(&self, size: u64) -> Option<&Path> {
        let total = self.total.get().copied().unwrap_or(size);
        self.aside.as_deref().filter(|directory| has_room(directory, total))
    }

    /// A place where the blob can wait for its turn.
    pub(super) fn spool(&self, digest: &Digest, size: u64) -> Option<Spool> {
        let cached = self.new_blob(digest, size).map(Spool::Cached);
        cached.or_else(|| unnamed(self.directory(size)?).map(Spool::Unnamed))
    }

    /// The blob's bytes from `offset` on.
    pub(super) fn connect(&self, digest: &Digest, size: u64, offset: u64) -> Result<Box<dyn Read + Send>, Error> {
        self.registry.blob_from(digest, Some(size), offset)
    }
}
