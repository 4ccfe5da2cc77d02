//! What no tar can say.

use nex_fault::{Code, Fault};

use crate::codes;

/// Why there is no header for an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A name of an attribute that is no text, or that would end where a record's value begins.
    #[error("has an xattr '{0}', whose name no tar can hold")]
    XattrName(String),
    /// A device's number that no header holds.
    #[error("has the device number {major}:{minor}, which no tar can hold")]
    Device {
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
}

impl Fault for WriteError {
    fn code(&self) -> Code {
        codes::UNWRITABLE
    }
}
