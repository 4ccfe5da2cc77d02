//! The directories from the destination down to where something is written.
//!
//! A tree may be deeper than a process may have files open, so only the lowest levels keep their handles. On the way back a closed one is
//! opened again as the `..` of the level below it, and must be the directory that it was.
//!
//! A directory gets its mode and its times when nothing more comes into it: names in it change its times, and its mode may forbid them.
//! Tars have what is in a directory in one piece, most often, so that is when the next entry is elsewhere. One that is entered again
//! gets back then what it had.

use std::collections::{BTreeSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nex_file::tree::Problem;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawMode, Stat};
use rustix::io::Errno;

use super::attributes::{ALL_OF_OWNER, Attributes, change_mode};
use crate::error::{Refusal, TreeError};
use crate::notes::Notes;

/// Handles that are open at once. Most trees are never so deep.
const OPEN_LEVELS: usize = 32;

/// How many directories are remembered as made here, which takes some megabytes.
const MOST_MADE: usize = 1 << 16;

/// How deep a destination may be. Each level takes up to 6 KiB of memory, and paths that programs use have half as many.
const MOST_LEVELS: usize = 4096;

/// How much of a name in the tar is kept for messages, from its start and from its end.
const HALF_PLACE: usize = 512;

/// The bit of a directory by which what is made in it belongs to its group. New directories in it have it too.
const SETGID: RawMode = 0o2000;

/// Device and inode, which tell directories apart.
type Identity = (u64, u64);

/// What a directory becomes when nothing more comes into it.
struct Description {
    attributes: Attributes,
    /// Its name in the tar, for messages.
    place: Vec<u8>,
}

impl Description {
    fn new(attributes: Attributes, place: &[u8]) -> Self {
        let place = match (place.get(..HALF_PLACE), place.len().checked_sub(2 * HALF_PLACE)) {
            (Some(start), Some(_)) => [start, place.get(place.len() - HALF_PLACE..).unwrap_or_default()].concat(),
            _ => place.to_vec(),
        };
        Self { attributes, place }
    }
}

/// The way from the destination down to a directory.
pub struct Levels {
    base: OwnedFd,
    levels: Vec<Level>,
    /// The handles of the lowest levels, the lowest last. Empty only when `levels` is.
    open: VecDeque<OwnedFd>,
    made: BTreeSet<Identity>,
}

struct Level {
    name: Vec<u8>,
    identity: Identity,
    is_made: IsMade,
    description: Option<Description>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum IsMade {
    /// It was there before.
    No,
    /// It was made here, with these bits of its mode from the directory that it is in.
    With(RawMode),
}

impl Levels {
    /// Begins in a directory.
    pub fn new(base: OwnedFd) -> Self {
        Self { base, levels: Vec::new(), open: VecDeque::new(), made: BTreeSet::new() }
    }

    /// The directory that was entered last.
    pub fn current(&self) -> BorrowedFd<'_> {
        self.open.back().unwrap_or(&self.base).as_fd()
    }

    /// Goes to a directory, which is made where it is missing, for an entry of the tar with the name `place`.
    ///
    /// # Errors
    /// When something on the way is no directory, or the system refuses it.
    pub fn enter(&mut self, path: &[&[u8]], place: &[u8], notes: &mut Notes) -> Result<BorrowedFd<'_>, TreeError> {
        self.go(path, place, Mode::from_raw_mode(0o777), Refusal::ThroughFile, notes)?;
        Ok(self.current())
    }

    /// Makes a directory, or finds the one that is there. What was not made here stays what it is.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub fn describe(
        &mut self,
        path: &[&[u8]],
        mut attributes: Attributes,
        place: &[u8],
        notes: &mut Notes,
    ) -> Result<(), TreeError> {
        let Some((_, parents)) = path.split_last() else { return Ok(()) };
        self.enter(parents, place, notes)?;
        let mode = Mode::from_raw_mode(ALL_OF_OWNER);
        self.go(path, place, mode, Refusal::DirectoryOverFile, notes)?;
        if let (Some(level), Some(handle)) = (self.levels.last_mut(), self.open.back())
            && let IsMade::With(inherited) = level.is_made
        {
            attributes.inherit(inherited);
            attributes.apply_xattrs(handle.as_fd(), place, notes)?;
            level.description = Some(Description::new(attributes, place));
        }
        Ok(())
    }

    /// Gives the last directories what they are to have.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(mut self, notes: &mut Notes) -> Result<(), TreeError> {
        while !self.levels.is_empty() {
            self.leave(notes)?;
        }
        Ok(())
    }

    fn go(
        &mut self,
        path: &[&[u8]],
        place: &[u8],
        mode: Mode,
        other: Refusal,
        notes: &mut Notes,
    ) -> Result<(), TreeError> {
        if path.len() > MOST_LEVELS {
            return Err(TreeError::refused(place, Refusal::TooDeep));
        }
        let common = self.levels.iter().zip(path).take_while(|(level, name)| level.name == **name).count();
        while self.levels.len() > common {
            self.leave(notes)?;
        }
        path.iter().skip(common).try_for_each(|name| self.push(name, place, mode, &other))
    }

    fn push(&mut self, name: &[u8], place: &[u8], mode: Mode, other: &Refusal) -> Result<(), TreeError> {
        let failed = |errno| TreeError::system("open", place, errno);
        let parent = self.current();
        let (handle, is_new) = match open(parent, name) {
            Err(Errno::NOENT) => {
                rustix::fs::mkdirat(parent, name, mode).map_err(|errno| TreeError::system("make", place, errno))?;
                (open(parent, name), true)
            }
            Err(Errno::ACCESS) => (self.open_closed(name), false),
            handle => (handle, false),
        };
        let handle = match handle {
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let kind = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map(|stat| FileType::from_raw_mode(stat.st_mode));
                let why = if kind == Ok(FileType::Symlink) { Refusal::ThroughLink } else { other.clone() };
                return Err(TreeError::refused(place, why));
            }
            handle => handle.map_err(failed)?,
        };
        let stat = rustix::fs::fstat(&handle).map_err(failed)?;
        let identity = identity(&stat);
        if is_new && self.made.len() < MOST_MADE {
            self.made.insert(identity);
        }
        let mut description = None;
        let is_made = if is_new || self.made.contains(&identity) {
            if !is_new {
                description = Some(Description::new(Attributes::of_now(&stat), place));
                if stat.st_mode & ALL_OF_OWNER != ALL_OF_OWNER {
                    let mode = Mode::from_raw_mode(stat.st_mode | ALL_OF_OWNER);
                    rustix::fs::fchmod(&handle, mode).map_err(failed)?;
                }
            }
            IsMade::With(stat.st_mode & SETGID)
        } else {
            IsMade::No
        };
        self.levels.push(Level { name: name.to_vec(), identity, is_made, description });
        self.open.push_back(handle);
        if self.open.len() > OPEN_LEVELS {
            self.open.pop_front();
        }
        Ok(())
    }

    /// Opens a directory that its mode closes to the caller: one that was made here is opened for the time being, and others only named.
    fn open_closed(&self, name: &[u8]) -> Result<OwnedFd, Errno> {
        let parent = self.current();
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !self.made.contains(&identity(&stat)) {
            return rustix::fs::openat(parent, name, DIRECTORY | OFlags::PATH, Mode::empty());
        }
        change_mode(parent, name, Mode::from_raw_mode(ALL_OF_OWNER))?;
        let handle = open(parent, name)?;
        // So that it has its own mode where that is asked for.
        rustix::fs::fchmod(&handle, Mode::from_raw_mode(stat.st_mode))?;
        Ok(handle)
    }

    /// Goes up one level.
    fn leave(&mut self, notes: &mut Notes) -> Result<(), TreeError> {
        let (Some(level), Some(handle)) = (self.levels.pop(), self.open.pop_back()) else { return Ok(()) };
        if let (true, Some(above)) = (self.open.is_empty(), self.levels.last()) {
            let lost = |problem: Problem| TreeError::system("go back from", &level.name, std::io::Error::from(problem));
            let parent = open(handle.as_fd(), b"..").map_err(|errno| lost(errno.into()))?;
            let stat = rustix::fs::fstat(&parent).map_err(|errno| lost(errno.into()))?;
            if identity(&stat) != above.identity {
                return Err(lost(Problem::Changed));
            }
            self.open.push_back(parent);
        }
        match level.description {
            Some(Description { attributes, place }) => attributes.apply(handle.as_fd(), &place, notes),
            None => Ok(()),
        }
    }
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn open(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(parent, name, DIRECTORY | OFlags::RDONLY, Mode::empty())
}

fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}
