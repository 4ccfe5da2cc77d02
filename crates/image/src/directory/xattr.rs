//! Extended attributes of a tree's entries, ACLs and capabilities included.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{fgetxattr, flistxattr, lgetxattr, llistxattr};
use rustix::io::Errno;

/// Values by name, in the order of the names' bytes.
pub(super) type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// The kernel's limits for the list of names and for a value: XATTR_LIST_MAX and XATTR_SIZE_MAX.
const MAX_BYTES: usize = 64 << 10;

/// The attributes of an open file or directory.
pub(super) fn of_handle(handle: BorrowedFd<'_>) -> io::Result<Xattrs> {
    all(|list| flistxattr(handle, list), |name, value| fgetxattr(handle, name, value))
}

/// The attributes of what cannot be opened: links, devices, fifos. Without /proc nobody can ask for them.
pub(super) fn of_name(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<Xattrs> {
    let mut path = format!("/proc/self/fd/{}/", parent.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    let path = CString::new(path)?;
    match all(|list| llistxattr(&path, list), |name, value| lgetxattr(&path, name, value)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Xattrs::new()),
        result => result,
    }
}

fn all(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&CStr, &mut [u8]) -> Result<usize, Errno>,
) -> io::Result<Xattrs> {
    let mut names = vec![0; MAX_BYTES];
    let length = match list(&mut names) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(Xattrs::new()),
        result => result?,
    };
    let mut value = vec![0; MAX_BYTES];
    let mut xattrs = Xattrs::new();
    for name in names[..length].split_inclusive(|&byte| byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(io::Error::other)?;
        let length = get(name, &mut value)?;
        xattrs.insert(name.to_bytes().to_vec(), value[..length].to_vec());
    }
    Ok(xattrs)
}
