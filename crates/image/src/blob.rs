//! The blobs of layers: opened when they are read, and announced before.

use std::io::Read;
use std::sync::Arc;

use nex_registry::Digest;

use crate::error::Error;

/// A layer's blob on its way: its bytes in order, not verified.
pub(crate) trait Blob: Read + Send {
    /// All of it has been read, and size and digest are what was promised.
    fn verified(self: Box<Self>) {}
}

impl Blob for Box<dyn Read + Send> {}

/// A layer that will be read.
pub(crate) struct Expected {
    /// Its place in the image.
    pub index: usize,
    pub digest: Digest,
    pub size: u64,
}

/// Layers that come from far, and can be on their way before they are read.
pub(crate) trait Ahead: Send + Sync {
    /// These will be read, in this order.
    fn expect(&self, layers: &[Expected]);

    /// This one is waited for from now on.
    fn take_turn(&self, index: usize);
}

/// Opens a layer's blob.
pub(crate) type OpenBlob = Arc<dyn Fn() -> Result<Box<dyn Blob>, Error> + Send + Sync>;

/// Opens a blob for which nothing is to be done once it is verified.
pub(crate) fn plain_blob(open: impl Fn() -> Result<Box<dyn Read + Send>, Error> + Send + Sync + 'static) -> OpenBlob {
    Arc::new(move || Ok(Box::new(open()?)))
}
