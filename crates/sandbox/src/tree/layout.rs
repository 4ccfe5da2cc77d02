//! Lays the tree out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RawMode, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Result;

use super::identity::{Identity, WANTED};
use super::xattrs;
use crate::failure::{Advice, Failure};
use crate::ids::TreeIds;
use crate::node::{Kind, Node, Piece, Xattr};

/// What the tree on the disk cannot show, and is still so: by the inode, whatever name it has in the end.
pub type Changed = BTreeMap<Identity, Hidden>;

/// What an inode has beside what the disk shows.
#[derive(Clone, Debug, Default)]
pub struct Hidden {
    /// Its owner and group, when there is only one id.
    pub owner: Option<(u32, u32)>,
    /// What it really is, when no user namespace can make that.
    pub device: Option<Kind>,
    /// Attributes that root of a user namespace can neither see nor set.
    pub xattrs: Vec<Xattr>,
}

/// A directory's time, which new names in it would change, and its default ACL, which they would inherit.
struct Finish {
    path: Vec<u8>,
    times: Timestamps,
    default_acl: Option<Xattr>,
}

impl Finish {
    fn of(node: &Node) -> Self {
        let default_acl = node.xattrs.iter().find(|xattr| xattr.name == DEFAULT_ACL);
        Self { path: node.path.clone(), times: times(node), default_acl: default_acl.cloned() }
    }
}

/// A tree being laid out.
pub struct Layout<'a> {
    root: BorrowedFd<'a>,
    source: &'a File,
    /// The owners that there can be.
    ids: &'a TreeIds,
    /// Everything belongs to root, because there is no other id.
    single: bool,
    /// The last node's directory; most nodes are in the same as the one before.
    parent: Option<(Vec<u8>, OwnedFd)>,
    /// Directories, with what is set when nothing more comes into them.
    directories: Vec<Finish>,
    hidden: Changed,
}

impl<'a> Layout<'a> {
    /// Begins in an empty directory.
    pub fn new(root: BorrowedFd<'a>, source: &'a File, ids: &'a TreeIds, single: bool) -> Self {
        let (parent, directories, hidden) = (None, Vec::new(), Changed::new());
        Self { root, source, ids, single, parent, directories, hidden }
    }

    /// Adds a node.
    pub fn place(&mut self, node: &Node) -> std::result::Result<(), Failure> {
        let TreeIds { users, groups, remedy } = self.ids;
        let has_owner = users.contains(node.uid) && groups.contains(node.gid);
        if !self.single && !has_owner && !matches!(node.kind, Kind::HardLink(_)) {
            let what = format!(
                "/{} belongs to user {} and group {}, and there are only the users {users} and the groups {groups} to give \
                 it to",
                nex_text::short_name(&node.path),
                node.uid,
                node.gid
            );
            return Err(Failure::advised(what, Advice::Words(remedy.clone())));
        }
        self.try_place(node).map_err(|error| {
            let full = error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded;
            let what = format!("laying out /{}: {error}", nex_text::short_name(&node.path));
            Failure { what, advice: full.then_some(Advice::Room) }
        })
    }

    /// Finishes the directories. Gives what could not be shown.
    pub fn finish(mut self) -> std::result::Result<Changed, Failure> {
        for Finish { path, times, default_acl } in std::mem::take(&mut self.directories).into_iter().rev() {
            open_directory(self.root, &path)
                .and_then(|directory| {
                    xattrs::set(directory.as_fd(), default_acl.iter())?;
                    rustix::fs::futimens(&directory, &times)
                })
                .map_err(|error| format!("finishing the directory /{}: {error}", nex_text::short_name(path)))?;
        }
        Ok(self.hidden)
    }

    fn try_place(&mut self, node: &Node) -> io::Result<()> {
        if node.path.is_empty() {
            let root = self.root;
            self.describe(root, node, None)?;
            self.directories.push(Finish::of(node));
            return Ok(());
        }
        let (parent, name) = split(&node.path);
        let (path, directory) = match self.parent.take() {
            Some(last) if last.0 == parent => last,
            _ => (parent.to_vec(), open_directory(self.root, parent)?),
        };
        self.make(directory.as_fd(), name, node)?;
        self.parent = Some((path, directory));
        Ok(())
    }

    fn make(&mut self, parent: BorrowedFd, name: &[u8], node: &Node) -> io::Result<()> {
        let open = |flags| rustix::fs::openat(parent, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, PRIVATE);
        match &node.kind {
            Kind::Directory => {
                rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
                self.describe(open(OFlags::DIRECTORY)?.as_fd(), node, None)?;
                self.directories.push(Finish::of(node));
            }
            Kind::File { size, pieces } => {
                let file = File::from(open(OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY)?);
                self.copy(&file, *size, pieces)?;
                self.describe(file.as_fd(), node, None)?;
                rustix::fs::futimens(&file, &times(node))?;
            }
            Kind::Symlink(target) => {
                rustix::fs::symlinkat(&**target, parent, name)?;
                self.describe_named(parent, name, node)?;
            }
            Kind::HardLink(target) => {
                let (directory, target) = split(target);
                let directory = open_directory(self.root, directory)?;
                rustix::fs::linkat(&directory, target, parent, name, AtFlags::empty())?;
            }
            Kind::Fifo => {
                rustix::fs::mknodat(parent, name, FileType::Fifo, PRIVATE, 0)?;
                let mode = Mode::from_raw_mode(RawMode::from(node.mode));
                rustix::fs::chmodat(parent, name, mode, AtFlags::empty())?;
                self.describe_named(parent, name, node)?;
            }
            Kind::CharacterDevice { .. } | Kind::BlockDevice { .. } => {
                // An empty file stands for it: it can be moved, linked and deleted like the device.
                let file = File::from(open(OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY)?);
                self.describe(file.as_fd(), node, Some(node.kind.clone()))?;
                rustix::fs::futimens(&file, &times(node))?;
            }
        }
        Ok(())
    }

    /// Owner, mode and attributes of what is open, in the order in which none undoes another.
    fn describe(&mut self, file: BorrowedFd, node: &Node, device: Option<Kind>) -> Result<()> {
        if !self.single {
            rustix::fs::fchown(file, Some(Uid::from_raw(node.uid)), Some(Gid::from_raw(node.gid)))?;
        }
        rustix::fs::fchmod(file, Mode::from_raw_mode(node.mode.into()))?;
        let (shown, hidden): (Vec<_>, Vec<_>) = node.xattrs.iter().partition(|xattr| xattrs::is_ours(&xattr.name));
        xattrs::set(file, shown.into_iter().filter(|xattr| xattr.name != DEFAULT_ACL))?;
        self.hide(node, device, hidden, || rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, WANTED))
    }

    /// The same for what cannot be opened without a meaning of its own. It has no attributes that could be shown.
    fn describe_named(&mut self, parent: BorrowedFd, name: &[u8], node: &Node) -> Result<()> {
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        if !self.single {
            let (uid, gid) = (Uid::from_raw(node.uid), Gid::from_raw(node.gid));
            rustix::fs::chownat(parent, name, Some(uid), Some(gid), nofollow)?;
        }
        rustix::fs::utimensat(parent, name, &times(node), nofollow)?;
        self.hide(node, None, node.xattrs.iter().collect(), || rustix::fs::statx(parent, name, nofollow, WANTED))
    }

    fn hide(
        &mut self,
        node: &Node,
        device: Option<Kind>,
        xattrs: Vec<&Xattr>,
        stat: impl FnOnce() -> Result<rustix::fs::Statx>,
    ) -> Result<()> {
        let owner = (self.single && (node.uid, node.gid) != (0, 0)).then_some((node.uid, node.gid));
        if owner.is_some() || device.is_some() || !xattrs.is_empty() {
            let xattrs = xattrs.into_iter().cloned().collect();
            self.hidden.insert(Identity::of(&stat()?), Hidden { owner, device, xattrs });
        }
        Ok(())
    }

    /// The file system shares the blocks, where it can.
    fn copy(&self, file: &File, size: u64, pieces: &[Piece]) -> io::Result<()> {
        let (mut source, mut target) = (self.source, file);
        let mut end = 0;
        for piece in pieces {
            if piece.offset != end {
                target.seek(SeekFrom::Start(piece.offset))?;
            }
            source.seek(SeekFrom::Start(piece.source))?;
            // Past the end of the source are zeros, and so is what is never written.
            end = piece.offset + io::copy(&mut source.take(piece.length), &mut target)?;
        }
        if end == size { Ok(()) } else { file.set_len(size) }
    }
}

/// What new names in a directory get.
const DEFAULT_ACL: &[u8] = b"system.posix_acl_default";

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

fn times(node: &Node) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: node.seconds, tv_nsec: node.nanoseconds.into() },
    }
}

/// A directory of the tree. Nothing on the way is a symbolic link.
pub fn open_directory(root: BorrowedFd, path: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    if path.is_empty() {
        return rustix::fs::openat(root, c".", flags, Mode::empty());
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)
}

/// The directory and the name in it.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}
