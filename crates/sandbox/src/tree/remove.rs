//! Removes a tree, however deep and by whomever it was made.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::{Errno, Result};

use super::snapshot::PROBE;

/// Removes what has this name in a directory that belongs to the run. It need not be there.
///
/// Directories in it are moved up before they are emptied, so that none is deeper than two levels when it is its turn.
pub fn remove(place: &impl AsFd, name: &str) -> Result<()> {
    let place = place.as_fd();
    let mut moved = 0;
    let mut names = leftovers(place)?;
    names.push(name.into());
    while let Some(name) = names.pop() {
        match remove_name(place, &name, &mut moved, &mut names) {
            Ok(()) | Err(Errno::NOENT) => {}
            // A process of a killed run may be about to die, and still add something.
            Err(Errno::NOTEMPTY) => names.push(name),
            Err(error) => return Err(error),
        }
    }
    Ok(())
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

fn remove_name(place: BorrowedFd, name: &str, moved: &mut u64, names: &mut Vec<String>) -> Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match rustix::fs::openat(place, name, flags, Mode::empty()) {
        Err(Errno::NOTDIR) => return rustix::fs::unlinkat(place, name, AtFlags::empty()),
        directory => directory?,
    };
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let child = entry.file_name();
        if matches!(child.to_bytes(), b"." | b"..") {
            continue;
        }
        let is_directory = match entry.file_type() {
            FileType::Unknown => {
                let stat = rustix::fs::statat(&directory, child, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode) == FileType::Directory
            }
            known => known == FileType::Directory,
        };
        if !is_directory {
            rustix::fs::unlinkat(&directory, child, AtFlags::empty())?;
            continue;
        }
        match rustix::fs::unlinkat(&directory, child, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let above = loop {
                    let above = format!("{PREFIX}{moved}");
                    *moved += 1;
                    match rustix::fs::renameat_with(
                        &directory,
                        child,
                        place,
                        &above,
                        rustix::fs::RenameFlags::NOREPLACE,
                    ) {
                        Err(Errno::EXIST) => {}
                        renamed => {
                            renamed?;
                            break above;
                        }
                    }
                };
                names.push(above);
            }
            removed => removed?,
        }
    }
    rustix::fs::unlinkat(place, name, AtFlags::REMOVEDIR)
}
