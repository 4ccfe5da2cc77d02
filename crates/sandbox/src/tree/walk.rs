//! Goes through a tree, each directory before what is in it, names in the order of their bytes.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Statx};

use super::identity::WANTED;
use super::layout::open_directory;
use crate::failure::{Advice, Failure};

/// The longest path that is followed, as the kernel's `PATH_MAX`.
const LONGEST: usize = 4095;

/// How much of a path that is too long is shown.
const SHOWN: usize = 100;

/// Directories that are kept open on the way down; others are opened again on the way back.
const OPEN: usize = 64;

/// A name in the tree.
pub struct Visit<'a> {
    /// Its path, empty for the root.
    pub path: &'a [u8],
    /// The directory that it is in; the root is in itself.
    pub parent: BorrowedFd<'a>,
    /// Its name there.
    pub name: &'a CString,
    /// What statx(2) says of it.
    pub stat: &'a Statx,
}

impl Visit<'_> {
    /// Its type.
    pub fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.stat.stx_mode.into())
    }
}

struct Level {
    path_length: usize,
    open: Option<OwnedFd>,
    names: std::vec::IntoIter<CString>,
}

/// Shows everything to `visit`, the root first.
///
/// Nobody else changes the tree meanwhile. Errors name the path. More names than `most` are an error, too, before they are all in
/// memory.
pub fn walk(root: BorrowedFd, most: u64, visit: &mut dyn FnMut(Visit) -> Result<(), Failure>) -> Result<(), Failure> {
    let at = |path: &[u8], error: io::Error| Failure::from(format!("reading /{}: {error}", nex_text::short_name(path)));
    let mut path = Vec::new();
    let too_many = || Failure::advised(format!("it left more than {most} names in the tree"), Advice::Names);
    let mut left = most;
    let here = c".".to_owned();
    let stat = rustix::fs::statx(root, c"", AtFlags::EMPTY_PATH, WANTED).map_err(|error| at(b"", error.into()))?;
    visit(Visit { path: &path, parent: root, name: &here, stat: &stat })?;
    let first = enter(root, &path, &mut left).map_err(|error| at(b"", error))?;
    let mut levels = vec![first.ok_or_else(too_many)?];
    while let Some(level) = levels.last_mut() {
        path.truncate(level.path_length);
        let Some(name) = level.names.next() else {
            levels.pop();
            continue;
        };
        if level.open.is_none() {
            level.open = Some(open_directory(root, &path).map_err(|error| at(&path, error.into()))?);
        }
        let parent = level.open.as_ref().map_or(root, OwnedFd::as_fd);
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        if path.len() > LONGEST {
            let Failure { what, .. } =
                at(&path[..SHOWN], io::Error::other("directories are nested deeper than any path reaches"));
            return Err(Failure::advised(what, Advice::Words("the script must not leave such".into())));
        }
        let stat = rustix::fs::statx(parent, &name, AtFlags::SYMLINK_NOFOLLOW, WANTED);
        let stat = stat.map_err(|error| at(&path, error.into()))?;
        visit(Visit { path: &path, parent, name: &name, stat: &stat })?;
        if FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory {
            let below = enter(root, &path, &mut left).map_err(|error| at(&path, error))?;
            if let Some(far_above) = levels.len().checked_sub(OPEN) {
                levels[far_above].open = None;
            }
            levels.push(below.ok_or_else(too_many)?);
        }
    }
    Ok(())
}

/// A directory; `None` when it has more names than there may still come.
fn enter(root: BorrowedFd, path: &[u8], left: &mut u64) -> io::Result<Option<Level>> {
    let directory = open_directory(root, path)?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&directory)? {
        let name = entry?.file_name().to_owned();
        if matches!(name.as_bytes(), b"." | b"..") {
            continue;
        }
        match left.checked_sub(1) {
            Some(fewer) => *left = fewer,
            None => return Ok(None),
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(Some(Level { path_length: path.len(), open: Some(directory), names: names.into_iter() }))
}
