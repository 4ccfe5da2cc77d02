//! The bound on what may come out of a decompressor, and what its failures mean.

use std::io;

use crate::compression::Compression;
use crate::decoder::TrailingData;
use crate::error::LayerError;
use crate::limits::Limits;

/// Counts decompressed bytes against the limit on how much something may grow.
pub(crate) struct Budget {
    limits: Limits,
    spent: u64,
}

impl Budget {
    /// Nothing has been decompressed yet.
    pub(crate) fn new(limits: &Limits) -> Budget {
        Budget { limits: limits.clone(), spent: 0 }
    }

    /// Decompressed bytes so far.
    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }

    /// Counts bytes that came out of so many in all.
    pub(crate) fn spend(&mut self, bytes: u64, compressed: u64) -> Result<(), LayerError> {
        self.spent += bytes;
        if self.spent > self.limits.ratio_free_bytes && self.spent > compressed.saturating_mul(self.limits.ratio) {
            return Err(LayerError::Ratio { limit: self.limits.ratio });
        }
        Ok(())
    }
}

/// Tells the errors of an earlier stage, which pass through the decoder, from the decoder's own.
pub(crate) fn failure(error: io::Error, compression: Compression) -> LayerError {
    let inner = error.get_ref();
    if inner.is_some_and(|inner| inner.is::<LayerError>()) {
        return LayerError::from_io(error);
    }
    if inner.is_some_and(|inner| inner.is::<TrailingData>()) {
        return LayerError::TrailingGarbage { compression };
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => LayerError::Truncated { compression },
        _ => LayerError::Corrupt { compression, detail: error.to_string() },
    }
}
