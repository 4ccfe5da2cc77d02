//! A root filesystem in its file, read without a mount and without trust.
//!
//! The reader is `ext4-view`: what nex writes is looked at with other eyes than its writer's. It is kept from what a hostile
//! image could do to it: paths are resolved here, so that it never follows a link of any length; each name and each byte
//! that it looks at is paid from a bounded budget; and should it panic, that is damage.

mod budget;
pub(crate) mod feature;
mod guard;
mod other;
mod reader;
mod resolve;
mod storage;
mod superblock;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use ext4_view::{Ext4, Ext4Error, FileType, Metadata};
use nex_inspect::{Kind, Stat, View};

pub use superblock::Superblock;

use budget::Budget;
use guard::guarded;
use storage::Storage;

/// The longest symlink that the kernel follows (`PATH_MAX`).
const LONGEST_LINK: u64 = 4096;

/// Why a file cannot be read as a root filesystem.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The host does not give the bytes.
    #[error("{0}")]
    Host(#[from] io::Error),
    /// It holds no ext4.
    #[error("{0}")]
    NotExt4(String),
    /// The file ends before the file system does.
    #[error("the file has {length} bytes, and the file system in it {size}")]
    CutOff {
        /// The file's length.
        length: u64,
        /// The file system's.
        size: u64,
    },
    /// It is ext4, and damaged.
    #[error("{0}")]
    Damaged(String),
    /// It is ext4 of a form that the reader does not know.
    #[error("{0}")]
    Unsupported(String),
}

/// A root filesystem that can be read.
///
/// As a [`View`] it tells what is missing from what is there. A name that cannot be looked up, because of damage or because
/// looking would take too long, counts as missing there; [`Image::take_trouble`] tells that it happened.
pub struct Image {
    superblock: Superblock,
    has_verity: bool,
    file_system: Ext4,
    budget: Budget,
    /// What stands at each path without symlinks that was asked for.
    known: RefCell<BTreeMap<Vec<u8>, Option<Metadata>>>,
    trouble: RefCell<Option<ImageError>>,
    lookups: Cell<u64>,
}

impl Image {
    /// Reads the superblock, the groups' descriptors and, where it has to be replayed, the journal.
    ///
    /// # Errors
    /// When the file is no ext4 file system that can be read.
    pub fn open(file: File) -> Result<Self, ImageError> {
        let storage = Storage::new(file)?;
        let superblock = Superblock::of(&storage)?;
        let has_verity = superblock.has_verity(&storage)?;
        reader::knows(&superblock)?;
        let file_system = guarded(|| Ext4::load(Box::new(storage)))?;
        Ok(Self {
            superblock,
            has_verity,
            file_system,
            budget: Budget::default(),
            known: RefCell::default(),
            trouble: RefCell::default(),
            lookups: Cell::default(),
        })
    }

    /// The file system's superblock.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Whether a tree of dm-verity stands behind the file system.
    pub fn has_verity(&self) -> bool {
        self.has_verity
    }

    /// Hands over the first error that a look at the image met since it was last asked for.
    pub fn take_trouble(&self) -> Option<ImageError> {
        self.trouble.take()
    }

    /// The length in bytes of the regular file that a path leads to.
    pub fn length(&self, path: &[u8]) -> Option<u64> {
        self.regular_file(path).map(|(_, length)| length)
    }

    /// The path without symlinks that a path leads to; `None` when that is nothing.
    pub fn canonical(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.resolve(path, true).map(|(path, _)| path)
    }

    /// What kind of device, pipe or socket, or what else, stands where a path leads to.
    pub fn file_type(&self, path: &[u8]) -> Option<FileType> {
        self.resolve(path, true).map(|(_, metadata)| metadata.file_type())
    }

    fn regular_file(&self, path: &[u8]) -> Option<(Vec<u8>, u64)> {
        let (path, metadata) = self.resolve(path, true)?;
        metadata.file_type().is_regular_file().then(|| (path, metadata.len()))
    }

    /// The result, or `None` with the error kept.
    fn kept<T>(&self, result: Result<T, ImageError>) -> Option<T> {
        result.map_err(|error| _ = self.trouble.borrow_mut().get_or_insert(error)).ok()
    }

    fn read_file(&self, path: &[u8], length: u64) -> Result<Vec<u8>, ImageError> {
        self.budget.spend(self.way(path).saturating_add(length))?;
        guarded(|| {
            let mut file = self.file_system.open(path)?;
            let mut bytes = vec![0; usize::try_from(length).map_err(|_| Ext4Error::FileTooLarge)?];
            let mut filled = 0;
            while filled < bytes.len() {
                match file.read_bytes(&mut bytes[filled..])? {
                    0 => break,
                    count => filled += count,
                }
            }
            bytes.truncate(filled);
            Ok(bytes)
        })
    }

    fn names(&self, path: &[u8], size: u64) -> Result<Vec<Vec<u8>>, ImageError> {
        self.budget.spend(self.way(path).saturating_add(size))?;
        guarded(|| {
            let mut names = Vec::new();
            for entry in self.file_system.read_dir(path)? {
                let entry = entry?;
                let name = entry.file_name();
                if name != "." && name != ".." {
                    names.push(name.as_ref().to_vec());
                }
            }
            Ok(names)
        })
    }
}

impl View for Image {
    fn stat(&self, path: &[u8]) -> Option<Stat> {
        self.resolve(path, true).map(|(_, metadata)| stat(&metadata))
    }

    fn lstat(&self, path: &[u8]) -> Option<Stat> {
        self.resolve(path, false).map(|(_, metadata)| stat(&metadata))
    }

    fn read_link(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (path, metadata) = self.resolve(path, false)?;
        self.link_target(&path, &metadata)
    }

    fn read(&self, path: &[u8], limit: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.regular_file(path).and_then(|(path, length)| self.kept(self.read_file(&path, length.min(limit)))))
    }

    fn list(&self, path: &[u8]) -> Option<Vec<Vec<u8>>> {
        let (path, metadata) = self.resolve(path, true).filter(|(_, metadata)| metadata.is_dir())?;
        self.kept(self.names(&path, metadata.len()))
    }
}

fn stat(metadata: &Metadata) -> Stat {
    const PERMISSIONS: u16 = 0o7777;
    let kind = match metadata.file_type() {
        FileType::Directory => Kind::Directory,
        FileType::Regular => Kind::File,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    };
    Stat { kind, mode: metadata.mode() & PERMISSIONS, uid: metadata.uid(), gid: metadata.gid() }
}
