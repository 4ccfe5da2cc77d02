//! The way from the root down to the directory that is being read.
//!
//! A tree may be deeper than a process may have files open, so only the lowest levels keep their handles. On the way
//! back a closed one is opened again as the `..` of the level below it, and must be the directory that it was.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::vec;

use rustix::fs::{OFlags, Stat};

use super::{Problem, open_below};

/// Handles that are open at once. Most trees are never so deep.
const OPEN_LEVELS: usize = 32;

/// Directories inside one another, all of them being read.
#[derive(Default)]
pub struct Trail {
    levels: Vec<Level>,
    /// The handles of the lowest levels, the lowest last. Empty only when `levels` is.
    open: VecDeque<OwnedFd>,
    path: Vec<u8>,
}

struct Level {
    /// Bytes of the path down to here.
    path_length: usize,
    identity: Identity,
    /// The names that are still to be read.
    names: vec::IntoIter<CString>,
}

/// Device and inode, which tell directories apart.
type Identity = (u64, u64);

/// What is next on the trail.
pub struct Child<'a> {
    /// The directory that it is in.
    pub parent: BorrowedFd<'a>,
    /// Its name there.
    pub name: CString,
    /// Its path relative to the root.
    pub path: &'a [u8],
}

/// There is no way back to a directory.
#[derive(Debug)]
pub struct Lost {
    /// Its path relative to the root.
    pub path: Vec<u8>,
    /// Why.
    pub problem: Problem,
}

impl Trail {
    /// Goes down into the directory that the path leads to. `names` are those in it, in the order wanted.
    pub fn enter(&mut self, handle: OwnedFd, stat: &Stat, names: Vec<CString>) {
        self.levels.push(Level { path_length: self.path.len(), identity: identity(stat), names: names.into_iter() });
        self.open.push_back(handle);
        if self.open.len() > OPEN_LEVELS {
            self.open.pop_front();
        }
    }

    /// Goes to the next name, up the trail where a directory has no more; `None` at the end of the tree.
    ///
    /// # Errors
    /// When there is no way back up.
    pub fn advance(&mut self) -> Result<Option<Child<'_>>, Lost> {
        while self.levels.last().is_some_and(|level| level.names.as_slice().is_empty()) {
            self.leave().map_err(|problem| Lost { path: self.path.clone(), problem })?;
        }
        let (Some(level), Some(parent)) = (self.levels.last_mut(), self.open.back()) else { return Ok(None) };
        let Some(name) = level.names.next() else { return Ok(None) };
        self.path.truncate(level.path_length);
        push_name(&mut self.path, &name);
        Ok(Some(Child { parent: parent.as_fd(), name, path: &self.path }))
    }

    /// The path of what was reached last, relative to the root, whose own is empty.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// How many directories are above what was reached last.
    pub fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Goes up one level, where `..` must be the directory that it was.
    fn leave(&mut self) -> Result<(), Problem> {
        self.levels.pop();
        let below = self.open.pop_back();
        let Some(level) = self.levels.last() else { return Ok(()) };
        self.path.truncate(level.path_length);
        if let (true, Some(below)) = (self.open.is_empty(), below) {
            let parent = open_below(below.as_fd(), c"..", OFlags::DIRECTORY)?;
            if identity(&rustix::fs::fstat(&parent)?) != level.identity {
                return Err(Problem::Changed);
            }
            self.open.push_back(parent);
        }
        Ok(())
    }
}

fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

fn push_name(path: &mut Vec<u8>, name: &CStr) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.to_bytes());
}
