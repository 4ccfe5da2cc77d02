//! What a tree says about an entry, as a tar has it.

use nex_file::xattrs::Xattrs;
use nex_tar::{Device, Header, Kind, Metadata, Time, Xattr};
use rustix::fs::{Stat, major, minor};

/// The permission bits, with setuid, setgid and sticky.
const PERMISSIONS: u32 = 0o7777;

/// The header of what is at a path, which is relative to the root; the root's own is empty.
pub(super) fn header(path: &[u8], stat: &Stat, kind: Kind, xattrs: &Xattrs) -> Header {
    let path = match (path, &kind) {
        (b"", _) => b"./".to_vec(),
        (path, Kind::Directory) => [path, b"/"].concat(),
        (path, _) => path.to_vec(),
    };
    let metadata = Metadata {
        mode: (stat.st_mode & PERMISSIONS) as u16,
        uid: stat.st_uid,
        gid: stat.st_gid,
        time: Time { seconds: stat.st_mtime, nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default() },
    };
    let xattrs = xattrs.iter().map(|(name, value)| Xattr { name: name.clone(), value: value.clone() });
    Header { path, kind, metadata, xattrs: xattrs.collect() }
}

/// The number of what is a device.
pub(super) fn device(stat: &Stat) -> Device {
    Device { major: major(stat.st_rdev), minor: minor(stat.st_rdev) }
}
