//! Extended attributes that a tree can have in a user namespace.

use std::os::fd::BorrowedFd;

use rustix::fs::XattrFlags;
use rustix::io::{Errno, Result};

use crate::Xattr;

/// The longest list of names, and the longest value (the kernel's `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`).
const MOST: usize = 64 << 10;

/// Whether root of a user namespace can set it, and it belongs to the file: the host's labels do not.
pub fn is_ours(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] = [b"security.capability", b"system.posix_acl_access", b"system.posix_acl_default"];
    name.starts_with(b"user.") || NAMES.contains(&name)
}

/// Sets attributes.
pub fn set<'a>(file: BorrowedFd, xattrs: impl Iterator<Item = &'a Xattr>) -> Result<()> {
    for xattr in xattrs {
        rustix::fs::fsetxattr(file, &*xattr.name, &xattr.value, XattrFlags::empty())?;
    }
    Ok(())
}

/// Reads them, sorted by name.
pub fn get(file: BorrowedFd) -> Result<Vec<Xattr>> {
    let mut names = vec![0; 1 << 10];
    let length = loop {
        match rustix::fs::flistxattr(file, &mut names) {
            Err(Errno::RANGE) if names.len() < MOST => names.resize(MOST, 0),
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            length => break length?,
        }
    };
    let mut xattrs = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| is_ours(name)) {
        let mut value = vec![0; rustix::fs::fgetxattr_query(file, name)?];
        let length = rustix::fs::fgetxattr(file, name, &mut value)?;
        value.truncate(length);
        xattrs.push(Xattr { name: name.to_vec(), value });
    }
    xattrs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(xattrs)
}
