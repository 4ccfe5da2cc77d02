//! Reading a library of the image.

use std::io;

use nex_fault::{Code, Fault};
use nex_inspect::View;

use crate::codes;
use crate::elf::Elf;

/// A file of the root filesystem cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path} of the image")]
pub struct ReadError {
    /// The file.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

impl Fault for ReadError {
    fn code(&self) -> Code {
        codes::UNREADABLE
    }
}

/// How much of a library is read. One whose dynamic segment stands behind that counts as missing; no real one does.
const LONGEST: u64 = 48 << 20;

/// The library that a path leads to; `None` when there is none, or something that is no program.
pub fn read(view: &dyn View, path: &[u8]) -> Result<Option<Elf>, ReadError> {
    let read = view.read(path, LONGEST);
    let bytes = read.map_err(|source| ReadError { path: nex_text::short_name(path), source })?;
    Ok(bytes.and_then(|bytes| Elf::parse(bytes.as_slice()).ok()))
}
