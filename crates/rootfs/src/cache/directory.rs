//! Which directory is the cache, and whether it can be trusted: what others can write to, they can fill with anything.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nex_file::private;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::error::CacheError;

/// What nobody but the owner may have: write permission.
const OTHERS_WRITE: u32 = 0o022;

/// `$XDG_CACHE_HOME/nex`, or `~/.cache/nex` where there is a home; `None` when the environment names neither.
pub fn default_directory() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").filter(|home| home.is_dir()).map(|home| home.join(".cache"));
    Some(absolute("XDG_CACHE_HOME").or_else(home)?.join("nex"))
}

/// Opens the directory of a cache, made where it is missing, if nobody else can write to it.
///
/// # Errors
/// When it cannot be had, or not be trusted.
pub fn open(path: &Path) -> Result<File, CacheError> {
    let directory = match open_directory(path) {
        Err(Errno::NOENT) => {
            private::create_directories(path).map_err(CacheError::io(path))?;
            open_directory(path)
        }
        result => result,
    };
    let directory = directory.map_err(|error| match error {
        Errno::NOTDIR | Errno::LOOP => CacheError::NotADirectory(path.into()),
        error => CacheError::Io { path: path.into(), cause: error.into() },
    })?;
    check(path, &directory)?;
    Ok(directory)
}

fn check(path: &Path, directory: &File) -> Result<(), CacheError> {
    let metadata = directory.metadata().map_err(CacheError::io(path))?;
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(CacheError::Owner { path: path.into(), owner, user });
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(CacheError::Writable(path.into()));
    }
    Ok(())
}

/// Makes a directory that may be there already.
///
/// # Errors
/// When it can be neither made nor found.
pub fn create(path: &Path) -> Result<(), CacheError> {
    match private::create_directory(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists && !path.is_dir() => {
            Err(CacheError::Io { path: path.into(), cause: error })
        }
        _ => Ok(()),
    }
}

/// Opens a directory, but no symbolic link to one.
///
/// # Errors
/// What the system says.
pub fn open_directory(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).map(File::from)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cache_is_the_callers_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        for mode in [0o770, 0o702] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(matches!(open(&path), Err(CacheError::Writable(_))), "{mode:o}");
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        open(&path).unwrap();
    }

    #[test]
    fn what_is_no_directory_is_no_cache() {
        let place = tempfile::tempdir().unwrap();
        let (link, file) = (place.path().join("link"), place.path().join("file"));
        std::os::unix::fs::symlink(place.path(), &link).unwrap();
        std::fs::write(&file, "").unwrap();
        for path in [link, file] {
            assert!(matches!(open(&path), Err(CacheError::NotADirectory(_))), "{path:?}");
        }
    }
}
