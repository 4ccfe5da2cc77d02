//! Extended attributes of files, access lists and capabilities included.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{fgetxattr, flistxattr, lgetxattr, llistxattr};
use rustix::io::Errno;

/// Values by name, in the order of the names' bytes.
pub type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// The kernel's limits for the list of names and for a value: `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`.
const MAX_BYTES: usize = 64 << 10;

/// The attributes of an open file or directory.
///
/// # Errors
/// What the system says.
pub fn of_handle(handle: BorrowedFd<'_>) -> io::Result<Xattrs> {
    all(|list| flistxattr(handle, list), |name, value| fgetxattr(handle, name, value))
}

/// The attributes of what cannot be opened: links, devices, FIFOs. Without `/proc` nobody can ask for them.
///
/// # Errors
/// What the system says.
pub fn of_name(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<Xattrs> {
    let path = path_of(parent, name.to_bytes())?;
    match all(|list| llistxattr(&path, list), |name, value| lgetxattr(&path, name, value)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Xattrs::new()),
        result => result,
    }
}

/// A path by which the attributes of a name in a directory can be asked for and set: no system call takes the two.
///
/// # Errors
/// When the name has a zero byte.
pub fn path_of(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<CString> {
    let mut path = format!("/proc/self/fd/{}/", parent.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    Ok(CString::new(path)?)
}

fn all(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&CStr, &mut [u8]) -> Result<usize, Errno>,
) -> io::Result<Xattrs> {
    // Most files have none, and need no memory for them.
    let (mut few, mut many) = ([0; 256], Vec::new());
    let names = match list(&mut few) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(Xattrs::new()),
        Err(Errno::RANGE) => {
            many.resize(MAX_BYTES, 0);
            let length = list(&mut many)?;
            many.get(..length)
        }
        length => few.get(..length?),
    };
    let (mut value, mut xattrs) = (vec![0; MAX_BYTES], Xattrs::new());
    for name in names.unwrap_or_default().split_inclusive(|&byte| byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(io::Error::other)?;
        match get(name, &mut value) {
            // Somebody has removed it meanwhile.
            Err(Errno::NODATA) => {}
            length => {
                let value = value.get(..length?).unwrap_or_default();
                xattrs.insert(name.to_bytes().to_vec(), value.to_vec());
            }
        }
    }
    Ok(xattrs)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::fs::{XattrFlags, fsetxattr};

    use super::*;

    #[test]
    fn all_come_whatever_their_number_and_their_size() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(of_handle(file.as_fd()).unwrap().len(), 0);
        let names: Vec<_> = (0..40).map(|number| format!("user.{number:03}")).collect();
        if fsetxattr(&file, "user.large", &[7; 1000], XattrFlags::empty()).is_err() {
            eprintln!("LEFT OUT: this file system has no extended attributes");
            return;
        }
        names.iter().for_each(|name| fsetxattr(&file, name, b"x", XattrFlags::empty()).unwrap());
        let mut found = of_handle(file.as_fd()).unwrap();
        found.retain(|name, _| name.starts_with(b"user."));
        assert_eq!(found.len(), 41);
        assert_eq!(found[&b"user.large"[..]], [7; 1000]);
        assert!(names.iter().all(|name| found[name.as_bytes()] == b"x"));
    }

    #[test]
    fn links_and_what_is_missing_have_none() {
        let place = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", place.path().join("link")).unwrap();
        let directory = std::fs::File::open(place.path()).unwrap();
        let of = |name| of_name(directory.as_fd(), name).unwrap().into_keys().filter(|name| name.starts_with(b"user."));
        assert_eq!((of(c"link").count(), of(c"missing").count()), (0, 0));
    }
}
