//! Why there is no cache.

use std::io;
use std::path::{Path, PathBuf};

use nex_fault::{Code, Fault, Remedy, Setting};
use nex_file::trust::Distrust;
use nex_file::way::WayError;
use nex_text::human;
use thiserror::Error;

use crate::codes;

/// Why a directory cannot be a cache. A build goes on without one.
#[derive(Debug, Error)]
pub enum CacheError {
    /// It is another user's, who could put anything into it.
    #[error("the cache '{}' belongs to user {owner}, not to user {user}", .path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// Others could put anything into it.
    #[error("others can write to the cache '{}'", .0.display())]
    Writable(PathBuf),
    /// It is there, but is no directory.
    #[error("the cache '{}' is not a directory, or a symbolic link", .0.display())]
    NotADirectory(PathBuf),
    /// Others could put another directory into its place.
    #[error("the cache '{}' is reached through '{}', which {why}", .path.display(), .through.display())]
    Way {
        /// The cache.
        path: PathBuf,
        /// The directory or symbolic link on the way there.
        through: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system refuses.
    #[error("cannot use the cache '{}'", .path.display())]
    Io {
        /// The directory, or what is in it.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// There is no place for one.
    #[error("there is no place for a cache: neither XDG_CACHE_HOME nor HOME names a directory")]
    NoPlace,
}

impl CacheError {
    /// An error of the system, about a path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { path: path.into(), cause }
    }

    /// A part of the cache that is not the caller's alone.
    fn distrust(path: &Path) -> impl FnOnce(Distrust) -> Self {
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

impl Fault for CacheError {
    fn code(&self) -> Code {
        match self {
            Self::Owner { .. } | Self::Writable(_) | Self::Way { .. } => codes::UNTRUSTED,
            Self::NotADirectory(_) => codes::NOT_A_DIRECTORY,
            Self::Io { .. } => codes::IO,
            Self::NoPlace => codes::NO_PLACE,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Owner { .. } => Remedy::say("name another with").choose(Setting::CacheDir),
            Self::Writable(path) => {
                let command = format!("run 'chmod go-w {}' if they did not, or name another with", path.display());
                Remedy::say(command).choose(Setting::CacheDir)
            }
            Self::NotADirectory(_) => Remedy::say("name a directory with").choose(Setting::CacheDir),
            Self::Way { .. } => {
                Remedy::say("name a place with").choose(Setting::CacheDir).and("that only you and root can change")
            }
            Self::NoPlace => Remedy::say("name one with").choose(Setting::CacheDir),
            Self::Io { .. } => return None,
        })
    }
}

/// Why something is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoRoom {
    /// It is larger than the cache may be.
    #[error("{bytes} bytes are more than its limit of {limit}")]
    Limit {
        /// What it takes.
        bytes: u64,
        /// What all of the cache may take.
        limit: u64,
    },
    /// It would take the last of the disk.
    #[error("nex leaves the last {} of its file system free for other programs", human(*.0))]
    Disk(u64),
}

impl Fault for NoRoom {
    fn code(&self) -> Code {
        codes::NO_ROOM
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Limit { .. } => Some(Remedy::say("allow more with").raise(Setting::CacheLimit)),
            Self::Disk(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_facts_and_what_to_do_is_apart() {
        let said = |error: &dyn Fault| nex_fault::advised(error, Setting::flag);
        let writable = CacheError::Writable("/c".into());
        assert_eq!(
            said(&writable),
            "others can write to the cache '/c'; run 'chmod go-w /c' if they did not, or name another with --cache-dir"
        );
        assert_eq!(writable.code().id(), "cache-untrusted");
        let io = CacheError::io(Path::new("/c"))(io::ErrorKind::PermissionDenied.into());
        assert_eq!((&*said(&io), io.code().id()), ("cannot use the cache '/c': permission denied", "cache-io"));
        let limit = NoRoom::Limit { bytes: 8, limit: 7 };
        assert_eq!(said(&limit), "8 bytes are more than its limit of 7; allow more with --cache-limit");
    }
}
