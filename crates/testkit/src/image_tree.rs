//! The tree in an ext4 image, read without root by two programs that know nothing of ours: the crate `ext4-view` for
//! names, types, bytes, modes, owners and times, and debugfs for inode numbers, devices and extended attributes.

use std::io::{self, Read};
use std::path::Path;

use ext4_view::{Ext4, FileType, Metadata};

use crate::debugfs::{self, Details};
use crate::failure::Context;
use crate::host_tree::{LOST_AND_FOUND, join};
use crate::manifest::{self, Collector, Entry, Kind, Manifest};
use crate::{Failure, Result};

/// Reads every name of an image; `lost+found` is left out.
///
/// # Errors
/// When one of the readers fails, or they do not agree on the names.
pub fn read(image: &Path) -> Result<Manifest> {
    let file_system = Ext4::load_from_path(image).context(image.display())?;
    let details = debugfs::read(image)?;
    let mut collector = Collector::default();
    let root = file_system.symlink_metadata("/")?;
    add(&mut collector, &file_system, &details, Vec::new(), &root)?;
    let tree = collector.finish();
    if let Some(path) = details.paths().find(|path| !tree.contains_key(*path)) {
        return Err(Failure::new(format!("debugfs finds /{}, ext4-view does not", path.escape_ascii())));
    }
    Ok(tree)
}

/// Adds one name, and what is beneath it.
fn add(
    collector: &mut Collector,
    file_system: &Ext4,
    details: &Details,
    path: Vec<u8>,
    metadata: &Metadata,
) -> Result<()> {
    let absolute = [b"/", &path[..]].concat();
    let shown = format!("/{}", path.escape_ascii());
    let inode = details.inode(&path).ok_or(Failure::new(format!("ext4-view finds {shown}, debugfs does not")))?;
    let kind = match metadata.file_type() {
        FileType::Directory => Kind::Directory,
        FileType::Regular => manifest::file_kind(Content(file_system.open(&absolute[..])?)).context(&shown)?,
        FileType::Symlink => Kind::Symlink(file_system.read_link(&absolute[..]).context(&shown)?.as_ref().to_vec()),
        FileType::CharacterDevice => details.device(inode).map(|(major, minor)| Kind::CharacterDevice(major, minor))?,
        FileType::BlockDevice => details.device(inode).map(|(major, minor)| Kind::BlockDevice(major, minor))?,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
    };
    let modified = metadata.modified();
    let entry = Entry {
        kind,
        mode: u32::from(metadata.mode()) & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        modified: (modified.seconds(), modified.nanoseconds()),
        xattrs: details.xattrs(inode),
        linked: None,
    };
    let is_directory = entry.kind == Kind::Directory;
    collector.add(path.clone(), inode, entry);
    if is_directory {
        for child in file_system.read_dir(&absolute[..]).context(&shown)? {
            let child = child?;
            let name = child.file_name();
            let name: &[u8] = name.as_ref();
            if matches!(name, b"." | b"..") || (path.is_empty() && name == LOST_AND_FOUND) {
                continue;
            }
            add(collector, file_system, details, join(&path, name), &child.metadata()?)?;
        }
    }
    Ok(())
}

/// A file of `ext4-view` as a reader.
struct Content(ext4_view::File);

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_bytes(buffer).map_err(|error| io::Error::other(error.to_string()))
    }
}
