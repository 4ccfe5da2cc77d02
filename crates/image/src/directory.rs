//! A directory as a layer: one tar stream, the same for the same tree whatever order the disk has it in.
//!
//! It is read by handles: a tree that changes meanwhile cannot lead elsewhere.

mod file;
mod header;
mod sink;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nex_file::tree::{self, Child, Lost, Problem, Trail, open_below};
use nex_file::xattrs::{self, Xattrs};
use nex_tar::{FileContent, Kind};
use nex_text::name;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use self::header::{device, header};
use self::sink::Sink;
use crate::error::{Error, LayerError};
use crate::limits::TREE_LEVELS;
use crate::pipe::{PipeReader, Stop, spawn_stage};

/// Pieces that wait for the next stage; the sink's pool is as large.
const DEPTH: usize = 4;

/// Opens the tree's root. Here links are followed: the user named it.
pub(crate) fn open_root(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| Error::io("open", path)(errno.into()))
}

/// Starts a thread that walks the tree. `path` is the root's name in messages.
pub(crate) fn tar_stream(root: Arc<OwnedFd>, path: PathBuf) -> Result<PipeReader<()>, LayerError> {
    spawn_stage("walk", DEPTH, move |pipe| {
        let mut walk = Walk { sink: Sink::new(pipe, DEPTH), root: path, links: BTreeMap::new() };
        // A handle of its own: two walks must not share a position in the directory.
        let here = open_below(root.as_fd(), c".", OFlags::DIRECTORY).map_err(|errno| walk.stop("open", b"", errno))?;
        walk.tree(here)?;
        walk.sink.finish()
    })
}

/// A walk through a tree.
struct Walk<'a> {
    sink: Sink<'a>,
    root: PathBuf,
    /// Where a file with several names was first met, by device and inode.
    links: BTreeMap<(u64, u64), Vec<u8>>,
}

impl Walk<'_> {
    /// A directory and all below it, names in the order of their bytes.
    fn tree(&mut self, root: OwnedFd) -> Result<(), Stop> {
        let mut trail = Trail::default();
        self.enter(&mut trail, root)?;
        while let Some(child) = trail.advance().map_err(|lost| self.lost(&lost))? {
            if let Some(directory) = self.child(child)? {
                self.enter(&mut trail, directory)?;
            }
        }
        Ok(())
    }

    /// Writes the entry of a directory, and goes into it.
    fn enter(&mut self, trail: &mut Trail, here: OwnedFd) -> Result<(), Stop> {
        let path = trail.path();
        if trail.depth() > TREE_LEVELS {
            return Err(tree_error(Error::Limit {
                what: name(self.place_of(path).as_os_str().as_bytes()),
                limit: TREE_LEVELS as u64,
                unit: "directories inside one another",
            }));
        }
        let stat = rustix::fs::fstat(&here).map_err(|errno| self.stop("look at", path, errno))?;
        let xattrs = xattrs::of_handle(here.as_fd()).map_err(|error| self.failed("read the xattrs of", path, error))?;
        self.entry(path, &stat, Kind::Directory, FileContent::Whole(0), &xattrs)?;
        let names = self.names(&here, path)?;
        trail.enter(here, &stat, names);
        Ok(())
    }

    fn names(&self, here: &OwnedFd, path: &[u8]) -> Result<Vec<CString>, Stop> {
        tree::names(here).map_err(|errno| self.stop("list", path, errno))
    }

    /// Writes what is no directory; gives back what is one.
    fn child(&mut self, child: Child<'_>) -> Result<Option<OwnedFd>, Stop> {
        let Child { parent, ref name, path } = child;
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| self.stop("look at", path, errno))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::Directory => self.reopen(parent, name, path, &stat, OFlags::DIRECTORY).map(Some),
            FileType::Socket => Ok(None),
            _ => self.leaf(&child, &stat, kind).map(|()| None),
        }
    }

    fn leaf(&mut self, child: &Child<'_>, stat: &Stat, kind: FileType) -> Result<(), Stop> {
        let Child { parent, ref name, path } = *child;
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)) {
                let target = first.clone();
                return self.entry(path, stat, Kind::HardLink(target), FileContent::Whole(0), &Xattrs::new());
            }
            self.links.insert((stat.st_dev, stat.st_ino), path.to_vec());
        }
        if kind == FileType::RegularFile {
            let file = self.reopen(parent, name, path, stat, OFlags::empty())?;
            return self.file(file, path);
        }
        let xattrs = xattrs::of_name(parent, name).map_err(|error| self.failed("read the xattrs of", path, error))?;
        let kind = match kind {
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new());
                let target = target.map_err(|errno| self.stop("read the link", path, errno))?;
                Kind::Symlink(target.into_bytes())
            }
            FileType::CharacterDevice => Kind::CharacterDevice(device(stat)),
            FileType::BlockDevice => Kind::BlockDevice(device(stat)),
            FileType::Fifo => Kind::Fifo,
            _ => return Err(self.broken(path, "is of an unknown type")),
        };
        self.entry(path, stat, kind, FileContent::Whole(0), &xattrs)
    }

    /// Opens what was just looked at, and makes sure that it is the same thing.
    fn reopen(
        &self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        path: &[u8],
        seen: &Stat,
        flags: OFlags,
    ) -> Result<OwnedFd, Stop> {
        tree::reopen(parent, name, seen, flags).map_err(|problem| self.problem("open", path, problem))
    }

    fn entry(
        &mut self,
        path: &[u8],
        stat: &Stat,
        kind: Kind,
        content: FileContent<'_>,
        xattrs: &Xattrs,
    ) -> Result<(), Stop> {
        let header = header(path, stat, kind, xattrs);
        let bytes = nex_tar::encode(&header, content).map_err(|problem| self.broken(path, &problem.to_string()))?;
        self.sink.write(&bytes)
    }

    fn lost(&self, lost: &Lost) -> Stop {
        self.problem("go back to", &lost.path, lost.problem)
    }

    fn problem(&self, action: &'static str, path: &[u8], problem: Problem) -> Stop {
        match problem {
            Problem::System(errno) => self.stop(action, path, errno),
            Problem::Changed => self.changed(path),
        }
    }

    fn changed(&self, path: &[u8]) -> Stop {
        tree_error(Error::Changed { place: name(self.place_of(path).as_os_str().as_bytes()) })
    }

    fn broken(&self, path: &[u8], problem: &str) -> Stop {
        tree_error(Error::document(name(self.place_of(path).as_os_str().as_bytes()), problem))
    }

    fn stop(&self, action: &'static str, path: &[u8], errno: Errno) -> Stop {
        self.failed(action, path, errno.into())
    }

    fn failed(&self, action: &'static str, path: &[u8], error: std::io::Error) -> Stop {
        tree_error(Error::io(action, &self.place_of(path))(error))
    }

    /// Where something of the tree is.
    fn place_of(&self, path: &[u8]) -> PathBuf {
        self.root.join(std::ffi::OsStr::from_bytes(path))
    }
}

fn tree_error(error: Error) -> Stop {
    Stop::Failed(LayerError::Tree(Box::new(error)))
}

#[cfg(test)]
mod tests;
