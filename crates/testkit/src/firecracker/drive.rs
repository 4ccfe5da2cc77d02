//! A drive of a microVM.

use std::path::PathBuf;

/// A drive that is a file.
pub struct Drive {
    /// The name by which requests know it.
    pub id: String,
    /// The file.
    pub file: PathBuf,
    /// Whether the guest may not write it.
    pub is_read_only: bool,
    /// Whether it is the guest's root.
    pub is_root: bool,
}
