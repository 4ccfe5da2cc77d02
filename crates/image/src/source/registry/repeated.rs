//! Blobs that a manifest names several times. The first download of one is held until the others have read it, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nex_registry::Digest;

use crate::blob::Expected;
use crate::blob_cache::NewBlob;

/// The blobs that will be read more than once, those that are there among them.
#[derive(Default)]
pub(super) struct Repeated(Mutex<BTreeMap<Digest, Option<File>>>);

impl Repeated {
    /// Looks which of the layers have the same blob.
    pub(super) fn expect(&self, layers: &[Expected]) {
        let mut seen = BTreeSet::new();
        let again = layers.iter().filter(|layer| !seen.insert(layer.digest));
        self.blobs().extend(again.map(|layer| (layer.digest, None)));
    }

    /// Whether a blob will be read more than once.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.blobs().contains_key(digest)
    }

    /// A blob that is there, at its beginning.
    pub(super) fn find(&self, digest: &Digest) -> Option<File> {
        let blobs = self.blobs();
        let file = blobs.get(digest)?.as_ref()?;
        // Opened anew, for a place of its own in the file.
        File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
    }

    fn blobs(&self) -> MutexGuard<'_, BTreeMap<Digest, Option<File>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A blob on its way that will be read again.
pub(super) struct HeldBlob {
    pub(super) blob: Box<dyn NewBlob>,
    pub(super) digest: Digest,
    pub(super) repeated: Arc<Repeated>,
}

impl Write for HeldBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.blob.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blob.flush()
    }
}

impl NewBlob for HeldBlob {
    fn reader(&self) -> io::Result<File> {
        self.blob.reader()
    }

    fn commit(self: Box<Self>) {
        if let Ok(file) = self.blob.reader() {
            self.repeated.blobs().insert(self.digest, Some(file));
        }
        self.blob.commit();
    }
}

/// A file without a name, for a blob that no later build will find.
pub(super) struct UnnamedBlob(pub(super) File);

impl Write for UnnamedBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl NewBlob for UnnamedBlob {
    fn reader(&self) -> io::Result<File> {
        self.0.try_clone()
    }

    fn commit(self: Box<Self>) {}
}
