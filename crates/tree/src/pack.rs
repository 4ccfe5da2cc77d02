//! A file or directory of a running system as a tar: what is there while it is read.
//!
//! Others may write to the tree meanwhile, and the tar is valid whatever they do: a file that grows is cut, one that shrinks is filled up
//! with zeros, and what goes away is left out. [`Notes`] say so.

mod content;
mod root;

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io::{BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nex_file::tree::{self, Child, Lost, Problem, Trail};
use nex_tar::{Device, FileContent, Header, Kind, Metadata, Time, Xattr, encode};
use rustix::fs::{AtFlags, FileType, OFlags, Stat, major, minor};
use rustix::io::Errno;

pub use self::root::root_name;
use self::root::{Node, Root};
use crate::error::TreeError;
use crate::notes::{LeftOut, Notes};
use crate::xattrs;

/// How much of a tar is written at once.
const BUFFER: usize = 64 << 10;

/// The permission bits, with setuid, setgid and sticky.
const PERMISSIONS: u32 = 0o7777;

/// What becomes a tar, and what does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackOptions {
    /// What becomes of a symbolic link at the end of the path. Those in a tree are always kept.
    pub link: Link,
    /// What becomes of file systems that are mounted below the path.
    pub mounts: Mounts,
}

/// What becomes of a symbolic link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// The tar has the link.
    #[default]
    Kept,
    /// The tar has what it leads to.
    Followed,
}

/// What becomes of other file systems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mounts {
    /// They are read as well.
    #[default]
    Crossed,
    /// The tar has their directories, and nothing in them: `/proc` and its like have no end.
    LeftOut,
}

/// Writes the tar of a file or a directory. Its first entry has the last name of the path. The names of what is in a directory begin
/// with that, or with `./` where the path ends with `/.`, which asks for the content of a directory alone.
///
/// # Errors
/// When something cannot be read or written. The tar is not complete then.
pub fn pack(path: &Path, options: PackOptions, out: impl Write, notes: &mut Notes) -> Result<(), TreeError> {
    let Root { name, node, device } = Root::open(path, options.link)?;
    let device = (options.mounts == Mounts::LeftOut).then_some(device);
    let (out, chunk, links) = (BufWriter::with_capacity(BUFFER, out), Vec::new(), BTreeMap::new());
    let mut packer = Packer { out, chunk, notes, root: name, device, links };
    match node {
        Node::Directory(handle) => packer.tree(handle)?,
        Node::Other { parent, name, stat } => {
            let seen = Seen { parent: parent.as_fd(), name: &name, stat, link: options.link };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Socket {
                return Err(TreeError::Socket { place: nex_text::short_name(path.as_os_str().as_encoded_bytes()) });
            }
            packer.leaf(&seen, b"")?;
        }
    }
    packer.write(&nex_tar::END)?;
    packer.out.flush().map_err(TreeError::Output)
}

/// A walk through a tree.
struct Packer<'a, W: Write> {
    out: BufWriter<W>,
    /// What files are read into.
    chunk: Vec<u8>,
    notes: &'a mut Notes,
    /// The root's name in the tar.
    root: Vec<u8>,
    /// The only device of which directories are read.
    device: Option<u64>,
    /// Files with further names that are still to come, by device and inode: the first name in the tar, and how many may come.
    links: BTreeMap<(u64, u64), (Vec<u8>, u64)>,
}

/// What was looked at under a name.
struct Seen<'a> {
    parent: BorrowedFd<'a>,
    name: &'a CStr,
    stat: Stat,
    link: Link,
}

impl Seen<'_> {
    /// Opens it, if it is still the same. `None` when it went away.
    fn open(&self, flags: OFlags) -> Result<Option<OwnedFd>, Errno> {
        let opened = match self.link {
            Link::Kept => tree::reopen(self.parent, self.name, &self.stat, flags),
            Link::Followed => root::open_followed(self.parent, self.name, &self.stat, flags),
        };
        match opened {
            Ok(handle) => Ok(Some(handle)),
            Err(Problem::Changed | Problem::System(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO)) => {
                Ok(None)
            }
            Err(Problem::System(errno)) => Err(errno),
        }
    }
}

impl<W: Write> Packer<'_, W> {
    /// A directory and all below it, names in the order of their bytes.
    fn tree(&mut self, root: OwnedFd) -> Result<(), TreeError> {
        let mut trail = Trail::default();
        self.enter(&mut trail, root)?;
        while let Some(child) = trail.advance().map_err(|lost| self.lost(&lost))? {
            if let Some(directory) = self.child(&child)? {
                self.enter(&mut trail, directory)?;
            }
        }
        Ok(())
    }

    /// Writes the entry of a directory, and goes into it.
    fn enter(&mut self, trail: &mut Trail, here: OwnedFd) -> Result<(), TreeError> {
        let path = trail.path();
        let stat = rustix::fs::fstat(&here).map_err(|errno| self.failed("look at", path, errno))?;
        let xattrs = xattrs::of_handle(here.as_fd()).map_err(|error| self.failed("read", path, error))?;
        self.entry(path, &stat, Kind::Directory, FileContent::Whole(0), xattrs)?;
        let is_mount = self.device.is_some_and(|device| device != stat.st_dev);
        let names = if is_mount {
            self.note(path, LeftOut::Mount);
            Vec::new()
        } else {
            tree::names(&here).map_err(|errno| self.failed("list", path, errno))?
        };
        trail.enter(here, &stat, names);
        Ok(())
    }

    /// Writes what is no directory; gives back what is one.
    fn child(&mut self, child: &Child<'_>) -> Result<Option<OwnedFd>, TreeError> {
        let Child { parent, ref name, path } = *child;
        let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {
                self.note(path, LeftOut::Vanished);
                return Ok(None);
            }
            stat => stat.map_err(|errno| self.failed("look at", path, errno))?,
        };
        let seen = Seen { parent, name, stat, link: Link::Kept };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return self.leaf(&seen, path).map(|()| None);
        }
        let opened = seen.open(OFlags::DIRECTORY).map_err(|errno| self.failed("open", path, errno))?;
        if opened.is_none() {
            self.note(path, LeftOut::Vanished);
        }
        Ok(opened)
    }

    fn leaf(&mut self, seen: &Seen<'_>, path: &[u8]) -> Result<(), TreeError> {
        let (stat, kind) = (&seen.stat, FileType::from_raw_mode(seen.stat.st_mode));
        if kind == FileType::Socket {
            self.note(path, LeftOut::Socket);
            return Ok(());
        }
        if let Some(target) = self.known_link(stat) {
            return self.entry(path, stat, Kind::HardLink(target), FileContent::Whole(0), Vec::new());
        }
        if kind == FileType::RegularFile {
            return match seen.open(OFlags::empty()).map_err(|errno| self.failed("open", path, errno))? {
                Some(file) => self.file(file.into(), path),
                None => {
                    self.note(path, LeftOut::Vanished);
                    Ok(())
                }
            };
        }
        let device = Device { major: major(stat.st_rdev), minor: minor(stat.st_rdev) };
        let kind = match kind {
            FileType::Symlink => match rustix::fs::readlinkat(seen.parent, seen.name, Vec::new()) {
                Err(Errno::NOENT | Errno::INVAL) => {
                    self.note(path, LeftOut::Vanished);
                    return Ok(());
                }
                target => Kind::Symlink(target.map_err(|errno| self.failed("read", path, errno))?.into_bytes()),
            },
            FileType::CharacterDevice => Kind::CharacterDevice(device),
            FileType::BlockDevice => Kind::BlockDevice(device),
            _ => Kind::Fifo,
        };
        let xattrs = match seen.link {
            Link::Kept => xattrs::of_name(seen.parent, seen.name).map_err(|error| self.failed("read", path, error))?,
            Link::Followed => Vec::new(),
        };
        self.remember_link(stat, path);
        self.entry(path, stat, kind, FileContent::Whole(0), xattrs)
    }

    /// The name under which the tar has a file already.
    fn known_link(&mut self, stat: &Stat) -> Option<Vec<u8>> {
        if stat.st_nlink < 2 {
            return None;
        }
        let key = (stat.st_dev, stat.st_ino);
        let (first, left) = self.links.get_mut(&key)?;
        *left -= 1;
        if *left > 0 { Some(first.clone()) } else { self.links.remove(&key).map(|(first, _)| first) }
    }

    /// Notes the first name of a file that has others.
    #[allow(clippy::useless_conversion, reason = "how wide a number of links is depends on the processor")]
    fn remember_link(&mut self, stat: &Stat, path: &[u8]) {
        if stat.st_nlink > 1 {
            let name = self.name_of(path, &Kind::File);
            self.links.insert((stat.st_dev, stat.st_ino), (name, u64::from(stat.st_nlink) - 1));
        }
    }

    fn entry(
        &mut self,
        path: &[u8],
        stat: &Stat,
        kind: Kind,
        content: FileContent<'_>,
        xattrs: Vec<Xattr>,
    ) -> Result<(), TreeError> {
        let metadata = Metadata {
            mode: (stat.st_mode & PERMISSIONS) as u16,
            uid: stat.st_uid,
            gid: stat.st_gid,
            time: Time { seconds: stat.st_mtime, nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default() },
        };
        let header = Header { path: self.name_of(path, &kind), kind, metadata, xattrs };
        let bytes = encode(&header, content)
            .map_err(|error| TreeError::Unwritable { place: nex_text::short_name(&header.path), error })?;
        self.write(&bytes)
    }

    /// A name in the tar, of a path relative to the root.
    fn name_of(&self, path: &[u8], kind: &Kind) -> Vec<u8> {
        let mut name = self.root.clone();
        if !path.is_empty() {
            if !name.ends_with(b"/") {
                name.push(b'/');
            }
            name.extend_from_slice(path);
        }
        if *kind == Kind::Directory && !name.ends_with(b"/") {
            name.push(b'/');
        }
        name
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TreeError> {
        self.out.write_all(bytes).map_err(TreeError::Output)
    }

    fn note(&mut self, path: &[u8], what: LeftOut) {
        let place = self.name_of(path, &Kind::File);
        self.notes.add(&place, what);
    }

    fn lost(&self, lost: &Lost) -> TreeError {
        self.failed("go back to", &lost.path, std::io::Error::from(lost.problem))
    }

    fn failed(&self, action: &'static str, path: &[u8], error: impl Into<std::io::Error>) -> TreeError {
        TreeError::system(action, &self.name_of(path, &Kind::File), error)
    }
}
