//! What a caller may watch while layers are read.

/// Learns how far the layers are. All calls may come from other threads than the caller's.
pub trait Progress: Send + Sync {
    /// Layer `index` (0 is the lowest) is opened. Its blob has `total_compressed` bytes, if that is known.
    fn layer_started(&self, index: usize, total_compressed: Option<u64>) {
        let _ = (index, total_compressed);
    }

    /// `compressed_bytes` of layer `index` have been read so far.
    fn advanced(&self, index: usize, compressed_bytes: u64) {
        let _ = (index, compressed_bytes);
    }

    /// Layer `index` has been read and verified to its end.
    fn layer_finished(&self, index: usize) {
        let _ = index;
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}
