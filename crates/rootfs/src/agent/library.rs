//! Reading a library of the image.

use super::elf::Elf;
use super::error::Error;
use crate::guest::View;

/// How much of a library is read. One whose dynamic segment stands behind that counts as missing; no real one does.
const LONGEST: u64 = 48 << 20;

/// The library that a path leads to; `None` when there is none, or something that is no program.
pub(crate) fn read(view: &dyn View, path: &[u8]) -> Result<Option<Elf>, Error> {
    let read = view.read(path, LONGEST);
    let bytes = read.map_err(|source| Error::ReadImage { path: path.escape_ascii().to_string(), source })?;
    Ok(bytes.and_then(|bytes| Elf::parse(bytes.as_slice()).ok()))
}
