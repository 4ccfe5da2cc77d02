//! Removes trees, however deep they are and whoever has made them.
//!
//! Directories are moved up before they are emptied, so that none is deeper than two levels when its turn comes: no depth takes
//! descriptors or stack. On a full disk a directory may find no room for its new name: it then waits until other files have made some.
//! What cannot be removed stays, and all else goes.

use std::ffi::{CStr, OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use nex_fault::{Code, Fault};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::codes;

/// What the names of directories that were moved up begin with. A process that is killed leaves them in the trees' own directory.
pub const PREFIX: &str = "removed-";

/// How often a directory is looked through again that is not empty yet: somebody may be at it who is about to end.
const ATTEMPTS: u32 = 1000;

/// Makes names of one process differ.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// What cannot be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Its path, from the directory on that the trees are in. Of a deep one that begins with a name by [`PREFIX`].
    pub path: PathBuf,
    /// Why.
    pub errno: Errno,
}

impl fmt::Display for Stuck {
    /// In printable characters, whatever the names are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}': {}", self.path.as_os_str().as_bytes().escape_ascii(), self.errno)
    }
}

impl std::error::Error for Stuck {}

impl Fault for Stuck {
    fn code(&self) -> Code {
        codes::STUCK
    }
}

impl From<Stuck> for io::Error {
    fn from(stuck: Stuck) -> Self {
        stuck.errno.into()
    }
}

/// Removes what has this name in a directory that is ours. It need not be there, and somebody else may remove it too.
///
/// # Errors
/// The first thing that stays. All else is removed.
pub fn tree(place: impl AsFd, name: impl AsRef<OsStr>) -> Result<(), Stuck> {
    trees(place, vec![name.as_ref().to_owned()])
}

/// Removes what has one of these names in a directory that is ours.
///
/// # Errors
/// As [`tree`].
pub fn trees(place: impl AsFd, names: Vec<OsString>) -> Result<(), Stuck> {
    let names = names.into_iter().map(|name| (name, ATTEMPTS)).collect();
    let mut removal = Removal { place: place.as_fd(), names, waiting: Vec::new(), has_made_room: false, stuck: None };
    loop {
        while let Some((name, attempts)) = removal.names.pop() {
            match removal.remove(&name) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) if attempts > 0 => removal.names.push((name, attempts - 1)),
                Err(errno) => removal.stays(&name, None, errno),
            }
        }
        if removal.waiting.is_empty() || !std::mem::take(&mut removal.has_made_room) {
            break;
        }
        removal.names.extend(removal.waiting.drain(..).map(|name| (name, ATTEMPTS)));
    }
    for name in std::mem::take(&mut removal.waiting) {
        removal.stays(&name, None, Errno::NOSPC);
    }
    removal.stuck.map_or(Ok(()), Err)
}

/// Removes all that is in a directory.
///
/// # Errors
/// As [`tree`], and when the directory cannot be read.
pub fn contents(place: impl AsFd) -> Result<(), Stuck> {
    let names = crate::tree::names(&place).map_err(|errno| Stuck { path: ".".into(), errno })?;
    trees(place, names.iter().map(|name| os(name).to_owned()).collect())
}

struct Removal<'a> {
    place: BorrowedFd<'a>,
    /// What is still to be removed, and how often it may be tried again.
    names: Vec<(OsString, u32)>,
    /// Directories with others in them for which there was no room above.
    waiting: Vec<OsString>,
    /// Whether anything was removed since those began to wait.
    has_made_room: bool,
    stuck: Option<Stuck>,
}

impl Removal<'_> {
    /// Notes what cannot be removed.
    fn stays(&mut self, name: &OsStr, child: Option<&CStr>, errno: Errno) {
        let mut path = PathBuf::from(name);
        path.extend(child.map(os));
        self.stuck.get_or_insert(Stuck { path, errno });
    }

    /// Removes a file, or a directory with all that is in it; the directories in it are moved up and are the next ones.
    fn remove(&mut self, name: &OsStr) -> Result<(), Errno> {
        match self.unlink(self.place, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTDIR) => return self.unlink(self.place, name, AtFlags::empty()),
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            removed => return removed,
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(self.place, name, flags, Mode::empty())?;
        let (mut is_emptied, mut lacks_room) = (true, false);
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let child = entry.file_name();
            if matches!(child.to_bytes(), b"." | b"..") {
                continue;
            }
            match self.remove_child(directory.as_fd(), child, entry.file_type()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOSPC | Errno::DQUOT) => lacks_room = true,
                Err(errno) => {
                    is_emptied = false;
                    self.stays(name, Some(child), errno);
                }
            }
        }
        if lacks_room {
            self.waiting.push(name.to_owned());
        } else if is_emptied {
            self.unlink(self.place, name, AtFlags::REMOVEDIR)?;
        }
        Ok(())
    }

    fn unlink(&mut self, directory: BorrowedFd<'_>, name: impl rustix::path::Arg, flags: AtFlags) -> Result<(), Errno> {
        rustix::fs::unlinkat(directory, name, flags)?;
        self.has_made_room = true;
        Ok(())
    }

    fn remove_child(&mut self, directory: BorrowedFd<'_>, child: &CStr, kind: FileType) -> Result<(), Errno> {
        let kind = match kind {
            FileType::Unknown => {
                let stat = rustix::fs::statat(directory, child, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        if kind != FileType::Directory {
            return self.unlink(directory, child, AtFlags::empty());
        }
        match self.unlink(directory, child, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => self.move_up(directory, child),
            removed => removed,
        }
    }

    fn move_up(&mut self, directory: BorrowedFd<'_>, child: &CStr) -> Result<(), Errno> {
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let above = format!("{PREFIX}{}-{number}", std::process::id());
            match rustix::fs::renameat(directory, child, self.place, &above) {
                // Something else has the name, of a process that had our number and was killed.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(errno) => return Err(errno),
                Ok(()) => {
                    self.names.push((above.into(), ATTEMPTS));
                    return Ok(());
                }
            }
        }
    }
}

fn os(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}
