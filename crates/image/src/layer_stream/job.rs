//! What goes into a layer's stream, and what is known at its end.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use nex_registry::Digest;

use crate::compression::Compression;
use crate::layer::Layer;
use crate::limits::Limits;
use crate::progress::Progress;

/// What a layer turned out to be, after all of it was read and every promise was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// The digest of the blob.
    pub digest: Digest,
    /// The digest of the tar.
    pub diff_id: Digest,
    /// Bytes of the blob.
    pub compressed: u64,
    /// Bytes of the tar.
    pub uncompressed: u64,
    /// How the blob is compressed.
    pub compression: Compression,
}

/// What the pipeline needs to know about a layer.
pub(crate) struct Job {
    /// The layer's place in the image, for errors and progress.
    pub index: usize,
    pub layer: Layer,
    /// What messages call it, where it is a root filesystem and no layer of an image.
    pub root: Option<String>,
    pub limits: Limits,
    /// Decompressed bytes of all layers of the image that were taken so far.
    pub unpacked: Arc<AtomicU64>,
    pub progress: Arc<dyn Progress>,
}
