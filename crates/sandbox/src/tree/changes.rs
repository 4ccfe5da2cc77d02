//! Tells what the scripts have changed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use nex_file::holes;
use rustix::fs::{FileType, Mode, OFlags};

use super::identity::Identity;
use super::layout::{Changed, Hidden, open_directory};
use super::snapshot::{Fate, Snapshot};
use super::walk::{Visit, walk};
use super::xattrs;
use crate::failure::Failure;
use crate::node::{Change, Kind, Node, Piece};
use crate::protocol::Answer;
use crate::wire::Channel;

/// Sends every change, with the bytes of files; removals come last. The tree has at most so many names.
pub fn send_changes(
    root: BorrowedFd,
    mut before: Snapshot,
    hidden: &Changed,
    names: u64,
    caller: &mut Channel,
) -> Result<(), Failure> {
    let mut sender = Sender { hidden, caller, first_names: BTreeMap::new() };
    walk(root, names, &mut |visit| match before.compare(visit.path, visit.stat) {
        Fate::Same => Ok(()),
        fate => sender
            .send(&visit, fate == Fate::New)
            .map_err(|error| format!("reading the changed /{}: {error}", nex_text::short_name(visit.path)).into()),
    })?;
    for path in before.gone() {
        // Below what is a file or a symbolic link now, nothing is hidden, and through a link something else would be.
        let (parent, _) = super::layout::split(path);
        if open_directory(root, parent).is_ok() {
            let removed = Answer::Change(Change::Removed(path.to_vec()));
            caller.send(&removed).map_err(|error| format!("telling the changes: {error}"))?;
        }
    }
    Ok(())
}

struct Sender<'a> {
    hidden: &'a Changed,
    caller: &'a mut Channel,
    /// The first name of each inode that has several.
    first_names: BTreeMap<Identity, Vec<u8>>,
}

impl Sender<'_> {
    fn send(&mut self, visit: &Visit, new: bool) -> io::Result<()> {
        let stat = visit.stat;
        let identity = Identity::of(stat);
        let hidden = self.hidden.get(&identity).cloned().unwrap_or_default();
        let mut open = None;
        let kind = match (&hidden.device, visit.file_type()) {
            (Some(device), _) => device.clone(),
            (None, FileType::Directory) => Kind::Directory,
            (None, FileType::RegularFile) => {
                let file = &*open.insert(open_file(visit)?);
                Kind::File { size: stat.stx_size, pieces: pieces(file, stat.stx_size)? }
            }
            (None, FileType::Symlink) => {
                Kind::Symlink(rustix::fs::readlinkat(visit.parent, visit.name, Vec::new())?.into_bytes())
            }
            (None, FileType::Fifo) => Kind::Fifo,
            (None, FileType::Socket) => {
                return self.caller.send(&Answer::Change(Change::Socket { path: visit.path.to_vec(), new }));
            }
            // A device cannot be made here.
            _ if new => return Ok(()),
            _ => return self.caller.send(&Answer::Change(Change::Removed(visit.path.to_vec()))),
        };
        let kind = match self.first_name(visit, identity) {
            Some(first) => Kind::HardLink(first),
            None => kind,
        };
        let node = node(visit, hidden, kind)?;
        let pieces = match &node.kind {
            Kind::File { pieces, .. } => pieces.clone(),
            _ => Vec::new(),
        };
        self.caller.send(&Answer::Change(Change::Set { node, new }))?;
        open.map_or(Ok(()), |file| self.send_pieces(&file, &pieces))
    }

    /// The name under which the inode was sent already.
    fn first_name(&mut self, visit: &Visit, identity: Identity) -> Option<Vec<u8>> {
        if visit.stat.stx_nlink < 2 || visit.file_type() == FileType::Directory {
            return None;
        }
        let first = self.first_names.get(&identity).cloned();
        if first.is_none() {
            self.first_names.insert(identity, visit.path.to_vec());
        }
        first
    }

    fn send_pieces(&mut self, mut file: &File, pieces: &[Piece]) -> io::Result<()> {
        for piece in pieces {
            file.seek(SeekFrom::Start(piece.offset))?;
            if io::copy(&mut file.take(piece.length), self.caller.writer())? != piece.length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

fn open_file(visit: &Visit) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(visit.parent, visit.name, flags, Mode::empty())?.into())
}

fn node(visit: &Visit, hidden: Hidden, kind: Kind) -> io::Result<Node> {
    let stat = visit.stat;
    let mut attributes = match visit.file_type() {
        FileType::RegularFile => xattrs::get(open_file(visit)?.as_fd())?,
        FileType::Directory => {
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            xattrs::get(rustix::fs::openat(visit.parent, visit.name, flags, Mode::empty())?.as_fd())?
        }
        _ => Vec::new(),
    };
    attributes.extend(hidden.xattrs);
    let (uid, gid) = hidden.owner.unwrap_or((stat.stx_uid, stat.stx_gid));
    Ok(Node {
        path: visit.path.to_vec(),
        mode: stat.stx_mode & 0o7777,
        uid,
        gid,
        seconds: stat.stx_mtime.tv_sec,
        nanoseconds: stat.stx_mtime.tv_nsec,
        xattrs: attributes,
        kind,
    })
}

/// The runs of bytes between a file's holes.
fn pieces(file: &File, size: u64) -> io::Result<Vec<Piece>> {
    let (mut pieces, mut source) = (Vec::new(), 0);
    for run in holes::runs(file, 0..size) {
        let Range { start, end } = run?;
        pieces.push(Piece { offset: start, source, length: end - start });
        source += end - start;
    }
    Ok(pieces)
}
