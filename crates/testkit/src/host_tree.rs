//! The tree in a directory of this machine: what umoci unpacked, or what the kernel shows of a mounted image.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{lgetxattr, llistxattr, major, minor};

use crate::failure::Context;
use crate::manifest::{self, Collector, Entry, Kind, Manifest};
use crate::{Failure, Result};

/// The most that the kernel gives for a list of xattr names or a value, in bytes.
const XATTR_MAX: usize = 65_536;
/// e2fsck's own directory, which is no part of any image.
pub(crate) const LOST_AND_FOUND: &[u8] = b"lost+found";

/// Reads a directory and everything beneath it; `lost+found` at its top is left out.
///
/// # Errors
/// When something cannot be read; the text names it.
pub fn read(root: &Path) -> Result<Manifest> {
    let mut collector = Collector::default();
    add(&mut collector, root, Vec::new())?;
    Ok(collector.finish())
}

/// Adds one name, and what is beneath it.
fn add(collector: &mut Collector, place: &Path, path: Vec<u8>) -> Result<()> {
    let metadata = fs::symlink_metadata(place).context(place.display())?;
    let entry = Entry {
        kind: kind(place, &metadata).context(place.display())?,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        modified: (metadata.mtime(), u32::try_from(metadata.mtime_nsec())?),
        xattrs: xattrs(place).context(place.display())?,
        linked: None,
    };
    let is_directory = entry.kind == Kind::Directory;
    collector.add(path.clone(), metadata.ino(), entry);
    if is_directory {
        for child in fs::read_dir(place).context(place.display())? {
            let child = child?;
            let name = child.file_name();
            if path.is_empty() && name.as_bytes() == LOST_AND_FOUND {
                continue;
            }
            add(collector, &child.path(), join(&path, name.as_bytes()))?;
        }
    }
    Ok(())
}

/// A name beneath a directory's name.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

fn kind(place: &Path, metadata: &fs::Metadata) -> Result<Kind> {
    let file_type = metadata.file_type();
    let device = metadata.rdev();
    Ok(if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_file() {
        manifest::file_kind(File::open(place)?)?
    } else if file_type.is_symlink() {
        Kind::Symlink(fs::read_link(place)?.into_os_string().into_vec())
    } else if file_type.is_char_device() {
        Kind::CharacterDevice(major(device), minor(device))
    } else if file_type.is_block_device() {
        Kind::BlockDevice(major(device), minor(device))
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else if file_type.is_socket() {
        Kind::Socket
    } else {
        return Err(Failure::new("is of no known type"));
    })
}

fn xattrs(place: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut names = vec![0; XATTR_MAX];
    let length = llistxattr(place, &mut names[..])?;
    let mut found = BTreeMap::new();
    for name in names[..length].split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name)?;
        let mut value = vec![0; XATTR_MAX];
        let length = lgetxattr(place, name, &mut value[..])?;
        value.truncate(length);
        found.insert(name.to_bytes().to_vec(), manifest::canonical_xattr(name.to_bytes(), value));
    }
    Ok(found)
}
