//! What guests may do with their drives.

/// What a guest may do with a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read. The guest sees a drive that cannot be written. Many guests may have the file at once.
    ReadOnly,
    /// Read and write, and what it writes is gone when it ends: the file stays as it is, and may itself be one that
    /// cannot be written or that others have open.
    CopyOnWrite,
    /// Read and write the file itself. What the guest has flushed is there after it has been killed.
    Write,
}
