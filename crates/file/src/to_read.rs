//! A file that is read later: by its name, or by the handle of what was looked at when it was found.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A regular file to be read.
#[derive(Clone, Debug)]
pub enum ToRead {
    /// Whatever has this name then, as the user says.
    Named(PathBuf),
    /// This one, whatever becomes of its name.
    Found {
        /// The name by which it was found.
        path: PathBuf,
        /// The file.
        file: Arc<File>,
    },
}

impl ToRead {
    /// The file that was found by this name.
    pub fn found(path: PathBuf, file: File) -> Self {
        Self::Found { path, file: Arc::new(file) }
    }

    /// Its name, for messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::Named(path) | Self::Found { path, .. } => path,
        }
    }

    /// Opens it, with a position of its own. Never waits.
    ///
    /// # Errors
    /// As [`open_regular`](crate::open_regular).
    pub fn open(&self) -> io::Result<File> {
        match self {
            Self::Named(path) => crate::open_regular(path),
            Self::Found { file, .. } => File::open(format!("/proc/self/fd/{}", file.as_raw_fd())),
        }
    }
}

impl From<PathBuf> for ToRead {
    fn from(path: PathBuf) -> Self {
        Self::Named(path)
    }
}

impl From<&Path> for ToRead {
    fn from(path: &Path) -> Self {
        Self::Named(path.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_found_is_read_whatever_has_its_name_by_then() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        fs::write(&path, "found").unwrap();
        let (found, named) = (ToRead::found(path.clone(), File::open(&path).unwrap()), ToRead::from(&*path));
        fs::rename(&path, place.path().join("moved")).unwrap();
        fs::write(&path, "other").unwrap();
        for (file, content) in [(&found, "found"), (&found, "found"), (&named, "other")] {
            assert_eq!(io::read_to_string(file.open().unwrap()).unwrap(), content);
        }
        assert_eq!(found.path(), named.path());
    }
}
