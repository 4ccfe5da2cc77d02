//! Owner, mode, times and extended attributes of what was written.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nex_tar::{Header, Kind, Metadata, Xattr};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, RawMode, Stat, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

use super::Owners;
use crate::error::TreeError;
use crate::notes::{LeftOut, Notes};
use crate::xattrs;

/// The bits by which a program runs as its owner or its group.
const SETID: RawMode = 0o6000;

/// What its owner may do in a directory where names are made.
pub const ALL_OF_OWNER: RawMode = 0o700;

/// Attributes that programs give to their own files.
const OF_USERS: &[u8] = b"user.";

/// The attribute of a directory by which what is made in it gets access lists.
const DEFAULT_ACL: &[u8] = b"system.posix_acl_default";

/// Bytes of a default access list: some 500 users and groups.
const MOST_DEFAULT_ACL: usize = 4 << 10;

/// What an entry is beside its content.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// The owner, unless it is the caller.
    owner: Option<(Uid, Gid)>,
    mode: RawMode,
    times: Timestamps,
    xattrs: Vec<Xattr>,
    is_symlink: bool,
}

impl Attributes {
    /// Those of a header.
    pub fn of(header: &Header, owners: Owners) -> Self {
        let Metadata { mode, uid, gid, time } = header.metadata;
        let (owner, mode) = match owners {
            Owners::Own => (None, RawMode::from(mode) & !SETID),
            Owners::Kept => (Some((Uid::from_raw(uid), Gid::from_raw(gid))), mode.into()),
        };
        let is_wanted = |xattr: &&Xattr| owners == Owners::Kept || xattr.name.starts_with(OF_USERS);
        Self {
            owner,
            mode,
            times: times(time.seconds, time.nanoseconds.into()),
            xattrs: header.xattrs.iter().filter(is_wanted).cloned().collect(),
            is_symlink: matches!(header.kind, Kind::Symlink(_)),
        }
    }

    /// Those that a directory has at this moment, to be given back to it.
    pub fn of_now(stat: &Stat) -> Self {
        let (mode, times) =
            (stat.st_mode & 0o7777, times(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)));
        Self { owner: None, mode, times, xattrs: Vec::new(), is_symlink: false }
    }

    /// Adds bits of the mode that the system has given to a new directory. They stay unless the tar's owners do, and their bits.
    pub fn inherit(&mut self, bits: RawMode) {
        if self.owner.is_none() {
            self.mode |= bits;
        }
    }

    /// Gives a directory that was made just now its extended attributes, so that they need not wait, with all that the tar says of them, until
    /// nothing more comes into it. Only a default access list waits: what comes into the directory must not have it.
    ///
    /// # Errors
    /// What the system says about the mode, which an access list changes.
    pub fn apply_xattrs(
        &mut self,
        directory: BorrowedFd<'_>,
        place: &[u8],
        notes: &mut Notes,
    ) -> Result<(), TreeError> {
        let mut is_set = false;
        for xattr in std::mem::take(&mut self.xattrs) {
            if xattr.name != DEFAULT_ACL {
                note_xattr(xattrs::set(directory, &xattr), &xattr, place, notes);
                is_set = true;
            } else if xattr.value.len() > MOST_DEFAULT_ACL {
                note_xattr(Err(Errno::TOOBIG), &xattr, place, notes);
            } else {
                self.xattrs.push(xattr);
            }
        }
        if !is_set {
            return Ok(());
        }
        let stat = rustix::fs::fstat(directory).map_err(|errno| TreeError::system("describe", place, errno))?;
        // Until the directory gets its own mode, nobody else comes in by the list.
        let mode = Mode::from_raw_mode(stat.st_mode & !0o077 | ALL_OF_OWNER);
        rustix::fs::fchmod(directory, mode).map_err(|errno| TreeError::system("describe", place, errno))
    }

    /// Gives them to what is open, in the order in which none undoes another.
    ///
    /// # Errors
    /// What the system says about mode and times.
    pub fn apply(&self, file: BorrowedFd<'_>, place: &[u8], notes: &mut Notes) -> Result<(), TreeError> {
        let failed = |errno| TreeError::system("describe", place, errno);
        let mut mode = self.mode;
        if let Some((uid, gid)) = self.owner {
            match rustix::fs::fchown(file, Some(uid), Some(gid)) {
                Err(Errno::PERM | Errno::INVAL) => {
                    notes.add(place, LeftOut::Owner);
                    mode &= !SETID;
                }
                owned => owned.map_err(failed)?,
            }
        }
        for xattr in &self.xattrs {
            note_xattr(xattrs::set(file, xattr), xattr, place, notes);
        }
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode)).map_err(failed)?;
        rustix::fs::futimens(file, &self.times).map_err(failed)
    }

    /// Gives them to what cannot be opened: a link, a FIFO, a device.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_by_name(
        &self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        place: &[u8],
        notes: &mut Notes,
    ) -> Result<(), TreeError> {
        let failed = |errno| TreeError::system("describe", place, errno);
        let mut mode = self.mode;
        if let Some((uid, gid)) = self.owner {
            match rustix::fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::PERM | Errno::INVAL) => {
                    notes.add(place, LeftOut::Owner);
                    mode &= !SETID;
                }
                owned => owned.map_err(failed)?,
            }
        }
        for xattr in &self.xattrs {
            note_xattr(xattrs::set_by_name(parent, name, xattr), xattr, place, notes);
        }
        if !self.is_symlink {
            change_mode(parent, name, Mode::from_raw_mode(mode)).map_err(failed)?;
        }
        rustix::fs::utimensat(parent, name, &self.times, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)
    }
}

/// Changes the mode of what has this name, which is no symbolic link. By a handle that only names it: the call that follows no link
/// is there since Linux 6.6 only.
///
/// # Errors
/// What the system says.
pub fn change_mode(parent: BorrowedFd<'_>, name: &[u8], mode: Mode) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    rustix::fs::chmod(format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd()), mode)
}

fn note_xattr(set: Result<(), Errno>, xattr: &Xattr, place: &[u8], notes: &mut Notes) {
    if let Err(errno) = set {
        let (name, why) = (nex_text::short_name(&xattr.name), std::io::Error::from(errno).to_string());
        notes.add(place, LeftOut::Xattr { name, why });
    }
}

fn times(seconds: i64, nanoseconds: i64) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds },
    }
}
