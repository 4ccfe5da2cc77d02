//! Where a tar goes. Symbolic links of the path that the caller names are followed, as always; the rules are those of `docker cp`.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_file::route::MAX_SYMLINKS;
use nex_tar::{Header, Kind};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::mapping::{Mapping, parts};
use crate::error::{Refusal, TreeError};

/// What the path leads to, links followed.
pub struct Destination<'a> {
    path: &'a Path,
    end: End,
}

enum End {
    /// A directory.
    Directory(OwnedFd),
    /// A name in a directory, which something else has.
    Other { parent: OwnedFd, name: Vec<u8> },
    /// A name in a directory, which nothing has.
    Missing { parent: OwnedFd, name: Vec<u8> },
}

impl<'a> Destination<'a> {
    /// Looks where the path leads.
    ///
    /// # Errors
    /// When the directory that it is in is missing, or the system does not let the caller look.
    pub fn find(path: &'a Path) -> Result<Self, TreeError> {
        match open(CWD, path.as_os_str().as_bytes()) {
            Ok(directory) => return Ok(Self { path, end: End::Directory(directory) }),
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => return Err(TreeError::system("open", path.as_os_str().as_bytes(), errno)),
        }
        let refused = |why| TreeError::refused(path.as_os_str().as_bytes(), why);
        let failed = |errno| TreeError::system("open", path.as_os_str().as_bytes(), errno);
        // A link at its end, which may lead to what is not there yet.
        let (mut base, mut rest) = (None::<OwnedFd>, trimmed(path.as_os_str().as_bytes()).to_vec());
        for _ in 0..=MAX_SYMLINKS {
            let (parent, name) = match rest.iter().rposition(|&byte| byte == b'/') {
                Some(slash) => (&rest[..=slash], rest[slash + 1..].to_vec()),
                None => (&b"."[..], rest.clone()),
            };
            if matches!(&*name, b"" | b"." | b"..") {
                return Err(refused(Refusal::NoDirectory));
            }
            let parent = match &base {
                Some(base) => open(base, parent),
                None => open(CWD, parent),
            };
            let parent = match parent {
                Err(Errno::NOENT | Errno::NOTDIR) => return Err(refused(Refusal::NoParent)),
                parent => parent.map_err(failed)?,
            };
            let stat = match rustix::fs::statat(&parent, &*name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => return Ok(Self { path, end: End::Missing { parent, name } }),
                stat => stat.map_err(failed)?,
            };
            if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                return Ok(Self { path, end: End::Other { parent, name } });
            }
            let target = rustix::fs::readlinkat(&parent, &*name, Vec::new()).map_err(failed)?;
            rest = trimmed(target.to_bytes()).to_vec();
            base = Some(parent);
        }
        Err(refused(Refusal::LinkLoop))
    }

    /// The directory.
    ///
    /// # Errors
    /// When it is something else.
    pub fn directory(self) -> Result<OwnedFd, TreeError> {
        match self.end {
            End::Directory(directory) => Ok(directory),
            End::Other { .. } => Err(self.refused(Refusal::NotADirectory)),
            End::Missing { .. } => Err(self.refused(Refusal::NoDirectory)),
        }
    }

    /// The directory that a copy goes into, and what its names become there.
    ///
    /// | destination | a file | a directory | the content of a directory |
    /// | --- | --- | --- | --- |
    /// | missing | gets this name | gets this name | goes into a new directory of this name |
    /// | missing, with a slash at its end | refused | gets this name | the same |
    /// | a directory | goes into it | goes into it | goes into it |
    /// | something else | replaces it | refused | refused |
    ///
    /// # Errors
    /// Where the table refuses it, and when the tar is no copy, or one of something else than what was asked for.
    pub fn of_copy(self, root: &Header, wanted: Option<&[u8]>) -> Result<(OwnedFd, Mapping), TreeError> {
        let is_directory = root.kind == Kind::Directory;
        let name = match &*parts(&root.path)? {
            [] if is_directory => Vec::new(),
            [name] => name.to_vec(),
            _ => return Err(TreeError::refused(&root.path, Refusal::NoRoot)),
        };
        if let Some(wanted) = wanted
            && parts(wanted)?.concat() != name
        {
            let root = nex_text::short_name(wanted);
            return Err(TreeError::refused(name.as_slice(), Refusal::Outside { root }));
        }
        let wants_directory = trimmed(self.path.as_os_str().as_bytes()).len() < self.path.as_os_str().len();
        match self.end {
            End::Directory(directory) => Ok((directory, Mapping { becomes: name.clone(), root: name })),
            End::Other { .. } if is_directory => Err(self.refused(Refusal::DirectoryOverFile)),
            End::Other { .. } if wants_directory => Err(self.refused(Refusal::NotADirectory)),
            End::Missing { .. } if wants_directory && !is_directory => Err(self.refused(Refusal::NoDirectory)),
            End::Other { parent, name: becomes } | End::Missing { parent, name: becomes } => {
                Ok((parent, Mapping { root: name, becomes }))
            }
        }
    }

    /// The path, and why nothing is written there.
    pub fn refused(&self, why: Refusal) -> TreeError {
        TreeError::refused(self.path.as_os_str().as_bytes(), why)
    }
}

/// Opens a directory only to go on from there, for which it need not be readable.
fn open(base: impl AsFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(base, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// A path without what stands behind its last name.
fn trimmed(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let [start @ .., b'/'] | [start @ .., b'/', b'.'] = path {
        path = start;
    }
    path
}
