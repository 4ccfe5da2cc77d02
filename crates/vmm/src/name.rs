//! Names of files in what is printed for others to start.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// A file's name, from the root on, so that it holds in every directory.
///
/// # Errors
/// When it is not UTF-8, or there is no working directory to begin with.
pub fn whole_name(path: &Path) -> Result<String, Error> {
    let whole = std::path::absolute(path).map_err(|cause| Error::Open { path: path.into(), cause })?;
    whole.into_os_string().into_string().map_err(|path| Error::Name { path: PathBuf::from(path) })
}
