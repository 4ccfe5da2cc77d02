//! Who may change a file or a directory: what others can write to, they can fill with anything.

use std::fs::{File, Metadata};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::{fmt, io};

use rustix::io::Errno;

/// What nobody but the owner may have: write permission. The mask of an access control list stands in the group's bits.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Where only the owner of a name, the directory's and root may take it away.
const STICKY: u32 = 0o1000;

/// Why something is not the caller's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// It is another user's.
    Owner {
        /// Whose it is.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// The group or everybody may write to it.
    Writable,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner { owner, user } => write!(f, "belongs to user {owner}, not to user {user}"),
            Self::Writable => f.write_str("can be written to by others"),
        }
    }
}

/// Finds what the caller's own must not be: another user's, or writable for anybody else.
///
/// # Errors
/// When it is.
pub fn is_the_callers(metadata: &Metadata) -> Result<(), Distrust> {
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(Distrust::Owner { owner, user });
    }
    if metadata.mode() & (GROUP_WRITES | OTHERS_WRITE) != 0 { Err(Distrust::Writable) } else { Ok(()) }
}

/// The same for a directory on the way to it, or a symbolic link there: it may be root's as well, and writable for others
/// where the sticky bit keeps names in their places. A group that has its user's number is that user's alone, as most
/// distributions make it; but not where an access control list names more, which the group's bits stand for then.
///
/// # Errors
/// When another user could put something else into its place, or the system tells nothing of it.
pub fn leads_safely(handle: &File) -> io::Result<Result<(), Distrust>> {
    leads_safely_with(handle, None)
}

/// The same where one more user is trusted beside root and the caller, and for a regular file that the way leads to.
///
/// # Errors
/// As [`leads_safely`].
pub fn leads_safely_with(handle: &File, trusted: Option<u32>) -> io::Result<Result<(), Distrust>> {
    let metadata = handle.metadata()?;
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != 0 && owner != user && Some(owner) != trusted && !is_of_nobody_here(owner) {
        return Ok(Err(Distrust::Owner { owner, user }));
    }
    let mode = if metadata.is_symlink() { 0 } else { metadata.mode() };
    let group_writes = mode & GROUP_WRITES != 0 && (metadata.gid() != owner || has_access_list(handle)?);
    // The bit keeps names, and no bytes.
    let keeps_names = metadata.is_dir() && mode & STICKY != 0;
    let is_open = !keeps_names && (mode & OTHERS_WRITE != 0 || group_writes);
    Ok(if is_open { Err(Distrust::Writable) } else { Ok(()) })
}

/// Whether users and groups beside the mode's have rights: acl(5).
///
/// # Errors
/// When the system tells nothing of it.
pub fn has_access_list(handle: &File) -> io::Result<bool> {
    // A handle that only names a file gives no attributes itself.
    let held = format!("/proc/self/fd/{}", handle.as_raw_fd());
    match rustix::fs::getxattr(held, "system.posix_acl_access", &mut [0; 1]) {
        Ok(_) | Err(Errno::RANGE) => Ok(true),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// In a user namespace, the machine's root has no id of its own: his directories look as if they were the overflow user's, and
/// so do those of all others who have no id there.
fn is_of_nobody_here(owner: u32) -> bool {
    const EVERYBODY: u32 = u32::MAX;
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let overflow = read("/proc/sys/kernel/overflowuid").trim().parse() == Ok(owner);
    // `/proc/self/uid_map` of the machine's own namespace maps all ids to themselves.
    overflow && !read("/proc/self/uid_map").split_whitespace().eq(["0", "0", &EVERYBODY.to_string()])
}
