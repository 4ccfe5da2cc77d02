//! Keeps the tree of a script that failed, for a look at it.
//!
//! Everything belongs to the caller then, who can read and remove it: owners, setid bits and attributes are not kept, and
//! neither are devices.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nex_fault::whole;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawMode};

use crate::error::Error;
use crate::incoming::Incoming;
use crate::node::{Change, Kind, Node, Piece};
use crate::tree::{open_directory, split};
use crate::wire::Channel;

const CHUNK: usize = 256 << 10;

/// Writes what comes as changes into a new directory.
pub fn keep(changes: &mut Incoming, monitor: &mut Channel, directory: &Path) -> io::Result<()> {
    nex_file::private::create_directory(directory)?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, directory, flags, Mode::empty())?;
    while let Some(change) = changes.next_change(monitor).map_err(io::Error::other)? {
        if let Change::Set { node, .. } = change
            && !node.path.is_empty()
        {
            let at = |error: io::Error| {
                let what = format!("/{}: {}", nex_text::short_name(&node.path), whole(&error));
                io::Error::new(error.kind(), what)
            };
            write(root.as_fd(), &node, |buffer| changes.read(monitor, buffer)).map_err(at)?;
        }
    }
    Ok(())
}

fn write(root: BorrowedFd, node: &Node, read: impl FnMut(&mut [u8]) -> Result<usize, Error>) -> io::Result<()> {
    let (directory, name) = split(&node.path);
    let directory: OwnedFd = open_directory(root, directory)?;
    let mode = |least: RawMode| Mode::from_raw_mode(RawMode::from(node.mode) & 0o777 | least);
    match &node.kind {
        Kind::Directory => rustix::fs::mkdirat(&directory, name, mode(0o700))?,
        Kind::File { size, pieces } => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
            let file = File::from(rustix::fs::openat(&directory, name, flags, mode(0o600))?);
            copy(&file, pieces, read)?;
            file.set_len(*size)?;
        }
        Kind::Symlink(target) => rustix::fs::symlinkat(&**target, &directory, name)?,
        Kind::HardLink(target) => {
            let (parent, target) = split(target);
            rustix::fs::linkat(open_directory(root, parent)?, target, &directory, name, AtFlags::empty())?;
        }
        Kind::Fifo => rustix::fs::mknodat(&directory, name, FileType::Fifo, mode(0o600), 0)?,
        Kind::CharacterDevice { .. } | Kind::BlockDevice { .. } => {}
    }
    Ok(())
}

fn copy(mut file: &File, pieces: &[Piece], mut read: impl FnMut(&mut [u8]) -> Result<usize, Error>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    for piece in pieces {
        file.seek(SeekFrom::Start(piece.offset))?;
        let mut left = piece.length;
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let length = read(&mut buffer[..most]).map_err(io::Error::other)?;
            file.write_all(&buffer[..length])?;
            left -= length as u64;
        }
    }
    Ok(())
}
