//! Devices that scripts make.
//!
//! No user namespace can make one. So the monitor makes an empty file in its place, as it does for the devices of the image,
//! and remembers what its inode stands for, whatever name that has in the end.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, StatxFlags};
use rustix::io::{Errno, Result};

use super::call::Call;
use crate::node::Kind;
use crate::tree::{Identity, WANTED};

/// The mount that is the root of a process.
pub fn root_mount(pid: u32) -> Result<u64> {
    mount_of(&rustix::fs::open(format!("/proc/{pid}/root"), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Makes what stands for a device, if root of the tree asks for one in the tree itself: not in a mount, from where nothing
/// becomes part of the image. `None` lets the kernel refuse it.
///
/// # Errors
/// Those of mknod(2), for the process that asks.
pub fn make(call: &Call, tree: u64) -> Result<Option<(Identity, Kind)>> {
    let Some(wanted) = Wanted::of(call) else { return Ok(None) };
    let directory = |path: &str| rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let root = directory(&call.path("root"))?;
    let base = match wanted.base {
        Some(descriptor) => call.directory(descriptor)?,
        None => directory(&call.path("cwd"))?,
    };
    // A path means what it means to the process: from its root and directory on, and never out of there. The monitor has
    // one thread, which nobody else sees there.
    let (own_root, own_directory) = (directory("/")?, directory(".")?);
    let made = enter(&root, &base).and_then(|()| wanted.make(tree));
    enter(&own_root, &own_directory)?;
    made
}

/// Makes a directory the root, and another the working directory.
fn enter(root: &OwnedFd, directory: &OwnedFd) -> Result<()> {
    rustix::process::fchdir(root)?;
    rustix::process::chroot(c".")?;
    rustix::process::fchdir(directory)
}

/// A device that a process asks for.
struct Wanted {
    path: Vec<u8>,
    /// The directory that a relative path begins in; none for the working directory.
    base: Option<u32>,
    mode: Mode,
    kind: Kind,
}

impl Wanted {
    /// What a call of root's asks for.
    fn of(call: &Call) -> Option<Self> {
        let (first, at) = match call.number() {
            libc::SYS_mknodat => (1, Some(call.word(0)).filter(|descriptor| *descriptor != libc::AT_FDCWD as u32)),
            // mknod(2) has no directory, and the same arguments behind it.
            _ => (0, None),
        };
        let path = call.text(first).ok()?;
        let (mode, device) = (call.word(first + 1), call.argument(first + 2));
        // The last of the four is the one that counts for files.
        let is_root = call.status("Uid")?.split_ascii_whitespace().next_back() == Some("0");
        let umask = u32::from_str_radix(&call.status("Umask")?, 8).ok()?;
        // As new_decode_dev() of the kernel takes the 32 bits apart.
        let device = device as u32;
        let (major, minor) = ((device & 0xf_ff00) >> 8, (device & 0xff) | ((device >> 12) & 0xf_ff00));
        let kind = match FileType::from_raw_mode(mode) {
            FileType::CharacterDevice => Kind::CharacterDevice { major, minor },
            FileType::BlockDevice => Kind::BlockDevice { major, minor },
            _ => return None,
        };
        let base = at.filter(|_| !path.starts_with(b"/"));
        is_root.then_some(Self { path, base, mode: Mode::from_raw_mode(mode & !umask & 0o7777), kind })
    }

    /// In the root and directory of the process.
    fn make(self, tree: u64) -> Result<Option<(Identity, Kind)>> {
        let (parent, name) = match self.path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => self.path.split_at(slash + 1),
            None => (b".".as_slice(), &*self.path),
        };
        match name {
            b"" => return Err(Errno::NOENT),
            b"." | b".." => return Err(Errno::EXIST),
            _ => {}
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = rustix::fs::openat(CWD, parent, flags, Mode::empty())?;
        if mount_of(&parent)? != tree {
            return Ok(None);
        }
        rustix::fs::mknodat(&parent, name, FileType::RegularFile, self.mode, 0)?;
        let stat = rustix::fs::statx(&parent, name, AtFlags::SYMLINK_NOFOLLOW, WANTED)?;
        Ok(Some((Identity::of(&stat), self.kind)))
    }
}

fn mount_of(file: &OwnedFd) -> Result<u64> {
    let stat = rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    let known = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID);
    if known { Ok(stat.stx_mnt_id) } else { Err(Errno::NOSYS) }
}
