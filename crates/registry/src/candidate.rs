//! A place where something that a reference names may be.

use crate::reference::RegistryReference;

/// A place that a reference leads to by the user's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name there.
    pub reference: RegistryReference,
    /// Whether it is a mirror: its failures are no reason to end.
    pub is_mirror: bool,
    /// Whether it is at another registry than the name says.
    pub(crate) is_elsewhere: bool,
    /// Whether it may be reached without a certificate that is known, and without TLS.
    pub(crate) is_insecure: bool,
}
