//! Where a layer's bytes come from, and where they may wait or stay.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::spool::{Spool, has_room};
use crate::digest::Digest;
use crate::keep::{Keep, NewBlob};
use crate::registry::{Error, Registry};

/// A registry, and the places for what it sends.
pub(super) struct Supply {
    pub(super) registry: Registry,
    pub(super) keep: Option<Arc<dyn Keep>>,
    /// A directory for files without names.
    pub(super) aside: Option<PathBuf>,
    /// Bytes of all layers that will be read, once that is known.
    pub(super) total: OnceLock<u64>,
}

impl Supply {
    /// The blob as an earlier build has kept it.
    pub(super) fn find(&self, digest: &Digest) -> Option<File> {
        self.keep.as_ref()?.blob(digest)
    }

    /// A place where the blob will be kept.
    pub(super) fn new_blob(&self, digest: &Digest, size: u64) -> Option<Box<dyn NewBlob>> {
        self.keep.as_ref()?.new_blob(digest, Some(size))
    }

    /// A place where the blob can wait for its turn.
    pub(super) fn spool(&self, digest: &Digest, size: u64) -> Option<Spool> {
        let kept = self.new_blob(digest, size).map(Spool::Kept);
        let total = self.total.get().copied().unwrap_or(size);
        kept.or_else(|| Spool::unnamed(self.aside.as_deref().filter(|directory| has_room(directory, total))?))
    }

    /// The blob's bytes from `offset` on.
    pub(super) fn connect(&self, digest: &Digest, size: u64, offset: u64) -> Result<Box<dyn Read + Send>, Error> {
        self.registry.blob_from(digest, Some(size), offset)
    }
}
