//! What the path of a tar leads to.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_file::tree::Problem;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::Link;
use crate::error::TreeError;

/// The root of what is packed.
pub struct Root {
    /// Its name in the tar: the last of the path, or `./`.
    pub name: Vec<u8>,
    pub node: Node,
    /// The device that it is on.
    pub device: u64,
}

/// What the path leads to.
pub enum Node {
    Directory(OwnedFd),
    Other {
        /// The directory that it is in.
        parent: OwnedFd,
        name: CString,
        stat: Stat,
    },
}

impl Root {
    /// Links on the way are followed: the caller has named them. Where the path ends with a slash, so is one at its end.
    pub fn open(path: &Path, link: Link) -> Result<Self, TreeError> {
        let bytes = path.as_os_str().as_bytes();
        let failed = |errno: Errno| TreeError::system("open", bytes, errno);
        let invalid = |_| TreeError::system("open", bytes, io::ErrorKind::InvalidInput);
        let (parent, name) = split(bytes);
        let trimmed = parent.len() + name.len();
        let parent = if parent.is_empty() { &b"."[..] } else { parent };
        if is_content(name) {
            let handle = rustix::fs::open(path, DIRECTORY, Mode::empty()).map_err(failed)?;
            let device = rustix::fs::fstat(&handle).map_err(failed)?.st_dev;
            return Ok(Self { name: CONTENT.to_vec(), node: Node::Directory(handle), device });
        }
        let (name, wanted) = (CString::new(name).map_err(invalid)?, trimmed < bytes.len());
        let parent = rustix::fs::openat(CWD, parent, OFlags::PATH | DIRECTORY, Mode::empty()).map_err(failed)?;
        let link = if wanted { Link::Followed } else { link };
        let flags = match link {
            Link::Kept => AtFlags::SYMLINK_NOFOLLOW,
            Link::Followed => AtFlags::empty(),
        };
        let stat = rustix::fs::statat(&parent, &name, flags).map_err(failed)?;
        let (tar_name, device) = (name.to_bytes().to_vec(), stat.st_dev);
        let node = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let handle = match link {
                    Link::Kept => nex_file::tree::reopen(parent.as_fd(), &name, &stat, OFlags::DIRECTORY),
                    Link::Followed => open_followed(parent.as_fd(), &name, &stat, OFlags::DIRECTORY),
                };
                Node::Directory(handle.map_err(|problem| TreeError::system("open", bytes, io::Error::from(problem)))?)
            }
            _ if wanted => return Err(failed(Errno::NOTDIR)),
            _ => Node::Other { parent, name, stat },
        };
        Ok(Self { name: tar_name, node, device })
    }
}

/// The name of a root whose content alone is asked for.
const CONTENT: &[u8] = b"./";

/// The name that the root of a path gets in a tar: its last one, or `./` for a path that asks for the content of a directory.
pub fn root_name(path: &Path) -> &[u8] {
    match split(path.as_os_str().as_bytes()).1 {
        name if is_content(name) => CONTENT,
        name => name,
    }
}

fn is_content(name: &[u8]) -> bool {
    matches!(name, b"" | b"." | b"..")
}

/// What leads to the last name of a path, with the slash behind it, and that name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    let trimmed = path.get(..end).unwrap_or_default();
    trimmed.split_at(trimmed.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1))
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens what was just looked at through a symbolic link, and makes sure that it is the same thing.
pub fn open_followed(parent: BorrowedFd<'_>, name: &CStr, seen: &Stat, flags: OFlags) -> Result<OwnedFd, Problem> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | flags;
    let handle = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&handle)?;
    let identity = |stat: &Stat| (stat.st_dev, stat.st_ino, FileType::from_raw_mode(stat.st_mode));
    if identity(&stat) == identity(seen) { Ok(handle) } else { Err(Problem::Changed) }
}
