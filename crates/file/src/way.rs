//! The way to a directory of the caller's own: from the root on, name by name, and through no directory in which another user
//! could put something else into the place of the next one. `sshd` asks the same of the files of a user's keys, and `sudo` of
//! its plugins.
//!
//! Who has come there so may use the path as well: nobody but root and the caller can lead it elsewhere.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nex_fault::{Code, Fault, Remedy};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use thiserror::Error;

use crate::codes;
use crate::private;
use crate::route::{Origin, Route, SymlinkLoop};
use crate::trust::{self, Distrust};

/// What becomes of directories that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They are made, for nobody but the caller.
    Made,
    /// They stay missing.
    Left,
}

/// Why a directory is not to be used.
#[derive(Debug, Error)]
pub enum WayError {
    /// It is another user's, or others can write to it.
    #[error("it {why}")]
    Distrust {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: Distrust,
    },
    /// Another user could put another directory into its place.
    #[error("it is reached through '{}', which {why}", .through.display())]
    Through {
        /// The directory or symbolic link on the way there.
        through: PathBuf,
        /// What is wrong with it.
        why: Distrust,
    },
    /// It is there, but is no directory, or a symbolic link.
    #[error("it is not a directory, or a symbolic link")]
    NotADirectory,
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Fault for WayError {
    fn code(&self) -> Code {
        match self {
            Self::Distrust { .. } | Self::Through { .. } => codes::DISTRUST,
            Self::NotADirectory => codes::NOT_A_DIRECTORY,
            Self::Io(_) => codes::SYSTEM,
        }
    }

    /// What makes a directory trustworthy, if others have done nothing there yet.
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Distrust { path, why: Distrust::Writable }
            | Self::Through { through: path, why: Distrust::Writable } => {
                Some(Remedy::say(format!("run 'chmod go-w {}' if they did not", path.display())))
            }
            _ => None,
        }
    }
}

impl From<Errno> for WayError {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

/// A directory of the caller's own.
#[derive(Debug)]
pub struct Reached {
    /// A handle that names it (`O_PATH`).
    pub handle: File,
    /// Where it is, absolute and with no symbolic link in it.
    pub path: PathBuf,
}

/// Goes to a directory that only root and the caller can change; `None` when it is missing and stays so. Symbolic links may lead
/// there, if nobody else could have put them up, but it must not be one itself.
///
/// # Errors
/// When it cannot be had, or not be trusted.
pub fn open(path: &Path, missing: Missing) -> Result<Option<Reached>, WayError> {
    let Some(here) = WALK.to(path, missing)? else { return Ok(None) };
    match trust::is_the_callers(&here.handle.metadata()?) {
        Ok(()) => Ok(Some(here)),
        Err(why) => Err(WayError::Distrust { path: here.path, why }),
    }
}

/// Goes to a directory that something of the caller's own is in; `None` when it is missing. Others may make names there, too, as in
/// `/tmp`, if the sticky bit keeps the caller's.
///
/// # Errors
/// When the system refuses it, or others could take the caller's names away there, or lead the way elsewhere.
pub fn open_parent(path: &Path) -> Result<Option<Reached>, WayError> {
    let Some(here) = WALK.to(path, Missing::Left)? else { return Ok(None) };
    WALK.leads_safely(&here.handle, &here.path)?;
    Ok(Some(here))
}

/// Opens a regular file to read it that only root, the caller and one more user can change or replace; `None` when it is missing.
/// Symbolic links may lead there, if nobody else could have put them up. What was looked at is what is open.
///
/// # Errors
/// When the system refuses it, it is no regular file, a symbolic link leads nowhere, or others could have put it there.
pub fn open_file(path: &Path, trusted: Option<u32>) -> Result<Option<File>, WayError> {
    let walk = Walk { end: End::File, trusted };
    let Some(found) = walk.to(path, Missing::Left)? else { return Ok(None) };
    crate::check_kind(found.handle.metadata()?.file_type(), false)?;
    walk.leads_safely(&found.handle, &found.path).map_err(|error| {
        if let WayError::Through { through: path, why } = error { WayError::Distrust { path, why } } else { error }
    })?;
    Ok(Some(File::open(format!("/proc/self/fd/{}", found.handle.as_raw_fd()))?))
}

/// What a way ends at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A directory, and no symbolic link to one.
    Directory,
    /// Something else, or a symbolic link to it.
    File,
}

/// How a path is followed.
struct Walk {
    end: End,
    /// Who is trusted beside root and the caller.
    trusted: Option<u32>,
}

/// To a directory of the caller's own.
const WALK: Walk = Walk { end: End::Directory, trusted: None };

impl Walk {
    fn to(&self, path: &Path, missing: Missing) -> Result<Option<Reached>, WayError> {
        let mut route = Route::new(std::path::absolute(path)?.as_os_str().as_bytes());
        let root = File::from(rustix::fs::openat(
            CWD,
            "/",
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?);
        let mut here = Reached { handle: root.try_clone()?, path: "/".into() };
        // The symbolic link that the path itself ends with.
        let mut link = None;
        while let Some(name) = route.next_name() {
            let name = OsStr::from_bytes(&name);
            self.leads_safely(&here.handle, &here.path)?;
            let next = match look_up(&here.handle, name) {
                Err(Errno::NOENT) if missing == Missing::Left => {
                    return link.map_or(Ok(None), |link| Err(nowhere(link)));
                }
                Err(Errno::NOENT) => {
                    private::create_directory_in(&here.handle, name)?;
                    look_up(&here.handle, name)
                }
                result => result,
            };
            let next = next?;
            let metadata = next.metadata()?;
            if metadata.is_symlink() && (self.end == End::File || !route.is_at_end()) {
                self.leads_safely(&next, &here.path.join(name))?;
                if route.is_at_end() {
                    link = Some(here.path.join(name));
                }
                let target = rustix::fs::readlinkat(&next, "", Vec::new())?;
                match route.follow(target.as_bytes()) {
                    Ok(Origin::Root) => here = Reached { handle: root.try_clone()?, path: "/".into() },
                    Ok(Origin::Here) => {}
                    Err(SymlinkLoop) => return Err(Errno::LOOP.into()),
                }
            } else if metadata.is_dir() || self.end == End::File && route.is_at_end() {
                here.handle = next;
                if name == ".." {
                    here.path.pop();
                } else {
                    here.path.push(name);
                }
            } else {
                return Err(WayError::NotADirectory);
            }
        }
        Ok(Some(here))
    }

    fn leads_safely(&self, handle: &File, path: &Path) -> Result<(), WayError> {
        let safe = trust::leads_safely_with(handle, self.trusted)?;
        safe.map_err(|why| WayError::Through { through: path.into(), why })
    }
}

fn nowhere(link: PathBuf) -> WayError {
    let words = format!("the symbolic link '{}' leads nowhere", link.display());
    io::Error::new(io::ErrorKind::NotFound, words).into()
}

/// What stands at a name, a symbolic link itself.
fn look_up(directory: &File, name: &OsStr) -> Result<File, Errno> {
    rustix::fs::openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map(File::from)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn made(path: &Path) -> Result<Option<Reached>, WayError> {
        open(path, Missing::Made)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_directory_is_the_callers_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        assert!(open(&path, Missing::Left).unwrap().is_none());
        assert!(!place.path().join("a").exists());
        made(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        for mode in [0o770, 0o702] {
            set_mode(&path, mode);
            assert!(matches!(made(&path), Err(WayError::Distrust { why: Distrust::Writable, .. })), "{mode:o}");
        }
        set_mode(&path, 0o755);
        made(&path).unwrap();
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let (link, file) = (place.path().join("link"), place.path().join("file"));
        symlink(place.path(), &link).unwrap();
        fs::write(&file, "").unwrap();
        for path in [&link, &file, &file.join("below")] {
            assert!(matches!(made(path), Err(WayError::NotADirectory)), "{path:?}");
        }
    }

    #[test]
    fn nobody_else_may_change_the_way_there() {
        let place = tempfile::tempdir().unwrap();
        let (parent, path) = (place.path().join("parent"), place.path().join("parent/own"));
        made(&path).unwrap();
        for (mode, leads) in [(0o707, false), (0o1777, true), (0o755, true)] {
            set_mode(&parent, mode);
            let opened = made(&path);
            assert_eq!(opened.is_ok(), leads, "{mode:o}: {opened:?}");
            assert!(leads || matches!(opened, Err(WayError::Through { .. })), "{mode:o}");
        }
        // Links lead there, through "..", relative and absolute ones, but not in circles.
        symlink("parent/../parent", place.path().join("relative")).unwrap();
        symlink(&parent, place.path().join("absolute")).unwrap();
        symlink("circle", place.path().join("circle")).unwrap();
        for name in ["relative", "absolute"] {
            let opened = made(&place.path().join(name).join("own")).unwrap().unwrap();
            assert_eq!(opened.handle.metadata().unwrap().ino(), path.metadata().unwrap().ino(), "{name}");
            assert_eq!(opened.path, path.canonicalize().unwrap(), "{name}");
        }
        assert!(made(&place.path().join("circle/own")).is_err());
        set_mode(&parent, 0o707);
        assert!(matches!(made(&place.path().join("absolute/own")), Err(WayError::Through { .. })));
    }

    #[test]
    fn a_parent_may_be_everybodys_where_the_sticky_bit_keeps_names() {
        let place = tempfile::tempdir().unwrap();
        let shared = place.path().join("shared");
        assert!(open_parent(&shared).unwrap().is_none());
        fs::create_dir(&shared).unwrap();
        for (mode, is_safe) in [(0o777, false), (0o1777, true), (0o700, true)] {
            set_mode(&shared, mode);
            let opened = open_parent(&shared);
            assert_eq!(opened.is_ok(), is_safe, "{mode:o}: {opened:?}");
        }
    }

    #[test]
    fn a_file_is_opened_where_nobody_else_could_have_put_it() {
        let place = tempfile::tempdir().unwrap();
        let (directory, file) = (place.path().join("own"), place.path().join("own/file"));
        let (link, dangling) = (place.path().join("link"), place.path().join("dangling"));
        assert!(open_file(&file, None).unwrap().is_none());
        fs::create_dir(&directory).unwrap();
        fs::write(&file, "bytes").unwrap();
        symlink("own/file", &link).unwrap();
        symlink("own/none", &dangling).unwrap();
        let read = |path: &Path| io::read_to_string(open_file(path, None)?.unwrap()).map_err(WayError::from);
        assert_eq!((read(&file).unwrap(), read(&link).unwrap()), ("bytes".to_owned(), "bytes".to_owned()));
        let said = open_file(&dangling, None).unwrap_err().to_string();
        assert!(said.ends_with("/dangling' leads nowhere"), "{said}");
        assert!(matches!(open_file(&directory, None), Err(WayError::Io(_))));
        // The sticky bit keeps no bytes.
        for mode in [0o666, 0o1666] {
            set_mode(&file, mode);
            assert!(matches!(read(&link), Err(WayError::Distrust { why: Distrust::Writable, .. })), "{mode:o}");
        }
        set_mode(&file, 0o644);
        set_mode(&directory, 0o777);
        assert!(matches!(read(&link), Err(WayError::Through { why: Distrust::Writable, .. })));
        set_mode(&directory, 0o755);
        if !rustix::process::geteuid().is_root() {
            eprintln!("LEFT OUT: giving files to others is root's");
            return;
        }
        for (owned, is_link) in [(&directory, false), (&link, true), (&file, false)] {
            let give = if is_link { std::os::unix::fs::lchown } else { std::os::unix::fs::chown };
            give(owned, Some(61_001), None).unwrap();
            assert!(open_file(&link, None).is_err() && open_file(&link, Some(61_002)).is_err(), "{owned:?}");
            assert!(open_file(&link, Some(61_001)).unwrap().is_some(), "{owned:?}");
            give(owned, Some(0), None).unwrap();
        }
    }

    #[test]
    fn an_access_control_list_is_looked_behind() {
        let place = tempfile::tempdir().unwrap();
        let (parent, path) = (place.path().join("parent"), place.path().join("parent/own"));
        made(&path).unwrap();
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if user != group {
            eprintln!(
                "LEFT OUT: the caller's group has not the number of the caller, so that its rights are never trusted"
            );
            return;
        }
        set_mode(&parent, 0o770);
        made(&path).unwrap();
        // Version 2; the owner has all, user 64322 may write, the group nothing, the mask lets that be, and others have nothing.
        const UNDEFINED: u32 = u32::MAX;
        let entries: [(u16, u16, u32); 5] =
            [(1, 7, UNDEFINED), (2, 7, 64_322), (4, 0, UNDEFINED), (16, 7, UNDEFINED), (32, 0, UNDEFINED)];
        let mut list = 2u32.to_le_bytes().to_vec();
        for (tag, rights, id) in entries {
            list.extend([&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat());
        }
        match rustix::fs::setxattr(&parent, "system.posix_acl_access", &list, rustix::fs::XattrFlags::empty()) {
            Err(Errno::OPNOTSUPP) => eprintln!("LEFT OUT: this file system has no access control lists"),
            result => {
                result.unwrap();
                assert!(matches!(made(&path), Err(WayError::Through { .. })));
            }
        }
    }
}
