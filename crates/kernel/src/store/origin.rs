//! Whose a kernel is.

/// Where a kernel was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Among those that are installed for guests.
    Installed,
    /// Among the distribution's own.
    Distribution,
}
