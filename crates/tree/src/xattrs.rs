//! Extended attributes, between files and tars.

use std::ffi::CStr;
use std::io;
use std::os::fd::BorrowedFd;

use nex_file::xattrs::{self, Xattrs};
use nex_tar::Xattr;
use rustix::fs::{XattrFlags, fsetxattr, lsetxattr};
use rustix::io::Errno;

/// The attributes of an open file or directory.
///
/// # Errors
/// What the system says.
pub fn of_handle(handle: BorrowedFd<'_>) -> io::Result<Vec<Xattr>> {
    xattrs::of_handle(handle).map(listed)
}

/// The attributes of what cannot be opened: links, devices, FIFOs.
///
/// # Errors
/// What the system says.
pub fn of_name(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<Vec<Xattr>> {
    xattrs::of_name(parent, name).map(listed)
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
    let path = xattrs::path_of(parent, name).map_err(|_| Errno::INVAL)?;
    lsetxattr(&path, &*xattr.name, &xattr.value, XattrFlags::empty())
}

fn listed(xattrs: Xattrs) -> Vec<Xattr> {
    xattrs.into_iter().map(|(name, value)| Xattr { name, value }).collect()
}
