//! Extended attributes of files, access lists and capabilities included.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nex_tar::Xattr;
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr, lgetxattr, llistxattr, lsetxattr};
use rustix::io::Errno;

/// The kernel's limits for the list of names and for a value: `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`.
const MAX_BYTES: usize = 64 << 10;

/// The attributes of an open file or directory.
///
/// # Errors
/// What the system says.
pub fn of_handle(handle: BorrowedFd<'_>) -> io::Result<Vec<Xattr>> {
    all(|list| flistxattr(handle, list), |name, value| fgetxattr(handle, name, value))
}

/// The attributes of what cannot be opened: links, devices, FIFOs. Without `/proc` nobody can ask for them.
///
/// # Errors
/// What the system says.
pub fn of_name(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<Vec<Xattr>> {
    let path = path_of(parent, name.to_bytes())?;
    match all(|list| llistxattr(&path, list), |name, value| lgetxattr(&path, name, value)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result,
    }
}

/// Gives an open file or directory an attribute.
///
/// # Errors
/// What the system says.
pub fn set(handle: BorrowedFd<'_>, xattr: &Xattr) -> Result<(), Errno> {
    fsetxattr(handle, &*xattr.name, &xattr.value, XattrFlags::empty())
}

/// Gives an attribute to what cannot be opened.
///
/// # Errors
/// What the system says.
pub fn set_by_name(parent: BorrowedFd<'_>, name: &[u8], xattr: &Xattr) -> Result<(), Errno> {
    let path = path_of(parent, name).map_err(|_| Errno::INVAL)?;
    lsetxattr(&path, &*xattr.name, &xattr.value, XattrFlags::empty())
}

fn path_of(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<CString> {
    let mut path = format!("/proc/self/fd/{}/", parent.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    Ok(CString::new(path)?)
}

fn all(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&CStr, &mut [u8]) -> Result<usize, Errno>,
) -> io::Result<Vec<Xattr>> {
    // Most files have none, and need no memory for them.
    let (mut few, mut many) = ([0; 256], Vec::new());
    let names = match list(&mut few) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Err(Errno::RANGE) => {
            many.resize(MAX_BYTES, 0);
            let length = list(&mut many)?;
            &many[..length]
        }
        length => &few[..length?],
    };
    let (mut value, mut xattrs) = (vec![0; MAX_BYTES], Vec::new());
    for name in names.split_inclusive(|&byte| byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(io::Error::other)?;
        match get(name, &mut value) {
            // Somebody has removed it meanwhile.
            Err(Errno::NODATA) => {}
            length => xattrs.push(Xattr { name: name.to_bytes().to_vec(), value: value[..length?].to_vec() }),
        }
    }
    xattrs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(xattrs)
}
