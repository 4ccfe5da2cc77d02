//! Why there is no cache.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a directory cannot be a cache. A build goes on without one.
#[derive(Debug, Error)]
pub enum CacheError {
    /// It is another user's, who could put anything into it.
    #[error("the cache '{}' belongs to user {owner}, not to user {user}; name another with --cache-dir", .path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// Others could put anything into it.
    #[error("others can write to the cache '{}'; run 'chmod go-w {}' if they did not, or name another with --cache-dir", .0.display(), .0.display())]
    Writable(PathBuf),
    /// It is there, but is no directory.
    #[error("the cache '{}' is not a directory, or a symbolic link; name a directory with --cache-dir", .0.display())]
    NotADirectory(PathBuf),
    /// The system refuses.
    #[error("cannot use the cache '{}': {cause}", .path.display())]
    Io {
        /// The directory, or what is in it.
        path: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// There is no place for one.
    #[error(
        "there is no place for a cache: neither XDG_CACHE_HOME nor HOME names a directory; name one with --cache-dir"
    )]
    NoPlace,
}

impl CacheError {
    /// An error of the system, about a path.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { path: path.into(), cause }
    }
}
