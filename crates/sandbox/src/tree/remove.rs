//! Removes a tree, however deep and by whomever it was made.

use std::ffi::CStr;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, Result};

use super::snapshot::PROBE;

/// What cannot be removed.
#[derive(Debug)]
pub struct Stuck {
    /// Its path below the directory of the run, escaped.
    path: String,
    errno: Errno,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}': {}", self.path, self.errno)
    }
}

/// Removes what has this name in a directory that belongs to the run. It need not be there.
///
/// Directories in it are moved up before they are emptied, so that none is deeper than two levels when it is its turn.
///
/// # Errors
/// When something stays, such as an immutable file; the first such thing. Everything else is removed.
pub fn remove(place: &impl AsFd, name: &str) -> std::result::Result<(), Stuck> {
    let mut removal = Removal { place: place.as_fd(), moved: 0, names: Vec::new(), stuck: None };
    match leftovers(removal.place) {
        Ok(names) => removal.names = names,
        Err(errno) => removal.stays(".", None, errno),
    }
    removal.names.push(name.into());
    while let Some(name) = removal.names.pop() {
        match removal.remove(&name) {
            Ok(()) | Err(Errno::NOENT) => {}
            // A process of a killed run may be about to die, and still add something.
            Err(Errno::NOTEMPTY) => removal.names.push(name),
            Err(errno) => removal.stays(&name, None, errno),
        }
    }
    removal.stuck.map_or(Ok(()), Err)
}

const PREFIX: &str = "removed-";

/// What an earlier attempt has moved up.
fn leftovers(place: BorrowedFd) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(place)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) || name == PROBE {
            names.push(name);
        }
    }
    Ok(names)
}

struct Removal<'a> {
    place: BorrowedFd<'a>,
    /// How many directories were moved up.
    moved: u64,
    /// What is still to be removed.
    names: Vec<String>,
    stuck: Option<Stuck>,
}

impl Removal<'_> {
    /// Notes what cannot be removed.
    fn stays(&mut self, name: &str, child: Option<&CStr>, errno: Errno) {
        let child = child.map_or_else(String::new, |child| format!("/{}", child.to_bytes().escape_ascii()));
        self.stuck.get_or_insert_with(|| Stuck { path: format!("{}{child}", name.escape_debug()), errno });
    }

    /// Removes a file, or a directory with all that is in it; the directories in it are moved up and are the next ones.
    fn remove(&mut self, name: &str) -> Result<()> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match rustix::fs::openat(self.place, name, flags, Mode::empty()) {
            Err(Errno::NOTDIR) => return rustix::fs::unlinkat(self.place, name, AtFlags::empty()),
            directory => directory?,
        };
        let mut is_emptied = true;
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let child = entry.file_name();
            if matches!(child.to_bytes(), b"." | b"..") {
                continue;
            }
            match self.remove_child(directory.as_fd(), child, entry.file_type()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => {
                    is_emptied = false;
                    self.stays(name, Some(child), errno);
                }
            }
        }
        if is_emptied { rustix::fs::unlinkat(self.place, name, AtFlags::REMOVEDIR) } else { Ok(()) }
    }

    fn remove_child(&mut self, directory: BorrowedFd, child: &CStr, kind: FileType) -> Result<()> {
        let kind = match kind {
            FileType::Unknown => {
                let stat = rustix::fs::statat(directory, child, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        if kind != FileType::Directory {
            return rustix::fs::unlinkat(directory, child, AtFlags::empty());
        }
        match rustix::fs::unlinkat(directory, child, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => self.move_up(directory, child),
            removed => removed,
        }
    }

    fn move_up(&mut self, directory: BorrowedFd, child: &CStr) -> Result<()> {
        loop {
            let above = format!("{PREFIX}{}", self.moved);
            self.moved += 1;
            match rustix::fs::renameat_with(directory, child, self.place, &above, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
                Ok(()) => {
                    self.names.push(above);
                    return Ok(());
                }
            }
        }
    }
}
