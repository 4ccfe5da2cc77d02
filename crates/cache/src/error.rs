//! Why there is no cache.

use std::io;
use std::path::{Path, PathBuf};

use nex_file::trust::Distrust;
use nex_file::way::WayError;
use rustix::io::Errno;
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
    /// Others could put another directory into its place.
    #[error(
        "the cache '{}' is reached through '{}', which {why}; name a place with --cache-dir that only you and root can change",
        .path.display(), .through.display()
    )]
    Way {
        /// The cache.
        path: PathBuf,
        /// The directory or symbolic link on the way there.
        through: PathBuf,
        /// What is wrong with it.
        why: String,
    },
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
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { path: path.into(), cause }
    }

    /// An error of opening a directory.
    pub(crate) fn of_opening(path: &Path, error: Errno) -> Self {
        match error {
            Errno::NOTDIR | Errno::LOOP => Self::NotADirectory(path.into()),
            error => Self::Io { path: path.into(), cause: error.into() },
        }
    }

    /// A part of the cache that is not the caller's alone.
    pub(crate) fn distrust(path: &Path) -> impl FnOnce(Distrust) -> Self {
        move |why| match why {
            Distrust::Owner { owner, user } => Self::Owner { path: path.into(), owner, user },
            Distrust::Writable => Self::Writable(path.into()),
        }
    }

    /// Why the way to the cache was not gone.
    pub(crate) fn way(path: &Path) -> impl FnOnce(WayError) -> Self {
        move |error| match error {
            WayError::Distrust { why, .. } => Self::distrust(path)(why),
            WayError::Through { through, why } => Self::Way { path: path.into(), through, why: why.to_string() },
            WayError::NotADirectory => Self::NotADirectory(path.into()),
            WayError::Io(cause) => Self::Io { path: path.into(), cause },
        }
    }
}
