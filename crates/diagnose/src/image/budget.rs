//! A bound on the work that an image can ask for.

use std::cell::Cell;

use super::ImageError;

/// Bytes of directories and files that are looked at. The libraries of the largest systems are far below.
const LIMIT: u64 = 2 << 30;

/// What is left of it.
pub(super) struct Budget(Cell<u64>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(LIMIT))
    }
}

impl Budget {
    /// Takes some of it.
    ///
    /// # Errors
    /// When so much is not left.
    pub(super) fn spend(&self, bytes: u64) -> Result<(), ImageError> {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or(0));
        left.map(drop)
            .ok_or_else(|| ImageError::Unsupported(format!("more than {LIMIT} bytes of it would have to be read")))
    }
}
