//! The way to a cache: from the root on, directory by directory, and through none in which another user could put something else
//! into the place of the next one. `sshd` asks the same of the files of a user's keys, and `sudo` of its plugins.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::directory::Directory;
use super::error::CacheError;
use super::trust;

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// What becomes of directories that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They are made, for nobody but the caller.
    Made,
    /// There is no cache then.
    NoCache,
}

/// Opens the directory of a cache; `None` when there is none and none is to be made. Symbolic links may lead there, if nobody else
/// could have put them up, but it must not be one itself.
///
/// # Errors
/// When it cannot be had, or not be trusted.
pub fn open(path: &Path, missing: Missing) -> Result<Option<Directory>, CacheError> {
    let io = |error: Errno| CacheError::Io { path: path.into(), cause: error.into() };
    let absolute = std::path::absolute(path).map_err(CacheError::io(path))?;
    let mut rest = names(&absolute);
    let mut links = 0;
    let mut walked = PathBuf::from("/");
    let root = rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let root = File::from(root.map_err(io)?);
    let mut here = root.try_clone().map_err(CacheError::io(path))?;
    while let Some(name) = rest.pop() {
        let through = here.metadata().map_err(CacheError::io(&walked))?;
        trust::leads_safely(&through).map_err(CacheError::way(path, &walked))?;
        let next = match look_up(&here, &name) {
            Err(Errno::NOENT) if missing == Missing::NoCache => return Ok(None),
            Err(Errno::NOENT) => {
                match rustix::fs::mkdirat(&here, &name, Mode::RWXU) {
                    // Another process may just make it.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(io(error)),
                }
                look_up(&here, &name)
            }
            result => result,
        };
        let next = next.map_err(io)?;
        let metadata = next.metadata().map_err(CacheError::io(path))?;
        if metadata.is_symlink() && !rest.is_empty() {
            trust::leads_safely(&metadata).map_err(CacheError::way(path, &walked.join(&name)))?;
            links += 1;
            if links > MOST_LINKS {
                return Err(io(Errno::LOOP));
            }
            let target = rustix::fs::readlinkat(&next, "", Vec::new()).map_err(io)?;
            let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
            if target.is_absolute() {
                here = root.try_clone().map_err(CacheError::io(path))?;
                walked = PathBuf::from("/");
            }
            rest.extend(names(&target));
        } else if metadata.is_dir() {
            here = next;
            walked.push(name);
        } else {
            return Err(CacheError::NotADirectory(path.into()));
        }
    }
    let metadata = here.metadata().map_err(CacheError::io(path))?;
    trust::is_the_callers(&metadata).map_err(CacheError::distrust(path))?;
    Ok(Some(Directory::new(here, path)))
}

/// The names of a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let is_name = |component: &Component| matches!(component, Component::Normal(_) | Component::ParentDir);
    path.components().rev().filter(is_name).map(|component| component.as_os_str().to_owned()).collect()
}

/// What stands at a name, a symbolic link itself.
fn look_up(directory: &File, name: &OsString) -> Result<File, Errno> {
    rustix::fs::openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map(File::from)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn made(path: &Path) -> Result<Option<Directory>, CacheError> {
        open(path, Missing::Made)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_cache_is_the_callers_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        assert!(open(&path, Missing::NoCache).unwrap().is_none());
        assert!(!place.path().join("a").exists());
        made(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        for mode in [0o770, 0o702] {
            set_mode(&path, mode);
            assert!(matches!(made(&path), Err(CacheError::Writable(_))), "{mode:o}");
        }
        set_mode(&path, 0o755);
        made(&path).unwrap();
    }

    #[test]
    fn what_is_no_directory_is_no_cache() {
        let place = tempfile::tempdir().unwrap();
        let (link, file) = (place.path().join("link"), place.path().join("file"));
        symlink(place.path(), &link).unwrap();
        fs::write(&file, "").unwrap();
        for path in [&link, &file, &file.join("below")] {
            assert!(matches!(made(path), Err(CacheError::NotADirectory(_))), "{path:?}");
        }
    }

    #[test]
    fn nobody_else_may_change_the_way_to_a_cache() {
        let place = tempfile::tempdir().unwrap();
        let (parent, path) = (place.path().join("parent"), place.path().join("parent/cache"));
        made(&path).unwrap();
        for (mode, leads) in [(0o707, false), (0o1777, true), (0o755, true)] {
            set_mode(&parent, mode);
            let opened = made(&path);
            assert_eq!(opened.is_ok(), leads, "{mode:o}: {opened:?}");
            assert!(leads || matches!(opened, Err(CacheError::Way { .. })), "{mode:o}");
        }
        // Links lead there, through "..", relative and absolute ones, but not in circles.
        symlink("parent/../parent", place.path().join("relative")).unwrap();
        symlink(&parent, place.path().join("absolute")).unwrap();
        symlink("circle", place.path().join("circle")).unwrap();
        for name in ["relative", "absolute"] {
            let opened = made(&place.path().join(name).join("cache")).unwrap().unwrap();
            assert_eq!(opened.handle().metadata().unwrap().ino(), path.metadata().unwrap().ino(), "{name}");
        }
        assert!(made(&place.path().join("circle/cache")).is_err());
        set_mode(&parent, 0o707);
        assert!(matches!(made(&place.path().join("absolute/cache")), Err(CacheError::Way { .. })));
    }
}
