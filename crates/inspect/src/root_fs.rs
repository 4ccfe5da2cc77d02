//! A root filesystem in its file, opened once: to be looked at, checked, and then booted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nex_ext4::FileType;
use nex_ext4::reader::{Error, Options, Reader, Recovery, Superblock};

use crate::disk::Disk;
use crate::error::RootFsError;
use crate::other;
use crate::reader_view::{ReaderView, Trouble};
use crate::view::{Stat, View};

/// A root filesystem that can be read. What an image can ask for is bounded
/// ([`Budget`](nex_ext4::reader::Budget)), whatever its bytes are.
///
/// As a [`View`] it tells what is missing from what is there. A name that cannot be looked up, because of damage or because
/// looking would take too long, counts as missing there; [`RootFs::take_trouble`] tells that it happened.
pub struct RootFs {
    path: PathBuf,
    has_verity: bool,
    reader: Reader<Disk>,
    trouble: Trouble,
}

impl RootFs {
    /// Opens the file or the block device, and reads the superblock and the groups' descriptors.
    ///
    /// # Errors
    /// When there is no ext4 file system that can be read.
    pub fn open(path: &Path) -> Result<Self, RootFsError> {
        Self::from_file(path, nex_file::open_disk(path)?)
    }

    /// The same for a file that is open; `path` is what messages call it.
    ///
    /// # Errors
    /// When there is no ext4 file system that can be read.
    pub fn from_file(path: &Path, file: File) -> Result<Self, RootFsError> {
        let disk = Disk::new(file)?;
        // What other file it is, if it is one.
        superblock(&disk)?;
        let reader = Reader::open(disk, Options::default())?;
        let has_verity = has_verity(reader.storage(), reader.superblock())?;
        Ok(Self { path: path.into(), has_verity, reader, trouble: Trouble::default() })
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        self.reader.storage().file()
    }

    /// The file's length in bytes, which may be more than the file system's.
    pub fn file_length(&self) -> u64 {
        self.reader.storage().length()
    }

    /// The file system's superblock.
    pub fn superblock(&self) -> &Superblock {
        self.reader.superblock()
    }

    /// Whether what waits in the journal is read.
    pub fn recovery(&self) -> &Recovery {
        self.reader.recovery()
    }

    /// Whether a tree of dm-verity stands behind the file system.
    pub fn has_verity(&self) -> bool {
        self.has_verity
    }

    /// Checks what a kernel checks before it mounts the file system, beyond what is needed to read it.
    ///
    /// # Errors
    /// When a kernel refuses to mount it, or the file alone does not tell ([`RootFsError::Unsupported`]).
    pub fn check_mount(&self) -> Result<(), RootFsError> {
        Ok(self.reader.check_mount()?)
    }

    /// Hands over the first error that a look at the root filesystem met since it was last asked for.
    pub fn take_trouble(&self) -> Option<RootFsError> {
        self.trouble.take().map(RootFsError::from)
    }

    /// The length in bytes of the regular file that a path leads to.
    pub fn length(&self, path: &[u8]) -> Option<u64> {
        self.view().typed_inode(path, FileType::Regular).map(|file| file.size)
    }

    /// The path without symlinks that a path leads to; `None` when that is nothing.
    pub fn canonical(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.trouble.ask(|| self.reader.canonical(path)).flatten()
    }

    /// What kind of device, pipe or socket, or what else, stands where a path leads to.
    pub fn file_type(&self, path: &[u8]) -> Option<FileType> {
        self.view().inode(path).map(|inode| inode.file_type)
    }

    fn view(&self) -> ReaderView<'_, Disk> {
        ReaderView::new(&self.reader, &self.trouble)
    }
}

impl View for RootFs {
    fn stat(&self, path: &[u8]) -> Option<Stat> {
        self.view().stat(path)
    }

    fn lstat(&self, path: &[u8]) -> Option<Stat> {
        self.view().lstat(path)
    }

    fn read_link(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.view().read_link(path)
    }

    fn read(&self, path: &[u8], limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.view().read(path, limit)
    }

    fn list_matching(&self, path: &[u8], is_wanted: &dyn Fn(&[u8]) -> bool) -> Option<Vec<Vec<u8>>> {
        self.view().list_matching(path, is_wanted)
    }

    fn is_spent(&self) -> bool {
        self.view().is_spent()
    }
}

/// Reads the superblock of a root filesystem's file, also where the rest of it cannot be read.
///
/// # Errors
/// When the file is no ext4 file system, or none that a kernel would look at any further.
pub fn read_superblock(file: File) -> Result<Superblock, RootFsError> {
    superblock(&Disk::new(file)?)
}

fn superblock(disk: &Disk) -> Result<Superblock, RootFsError> {
    match Superblock::read(disk) {
        Err(Error::NotExt4) => Err(other::refusal(disk)?),
        result => Ok(result?),
    }
}

/// Whether a tree stands where nex puts it.
fn has_verity(disk: &Disk, superblock: &Superblock) -> io::Result<bool> {
    const SIGNATURE: [u8; 8] = *b"verity\0\0";
    let mut behind = [0; SIGNATURE.len()];
    let length = disk.start(superblock.size(), &mut behind)?;
    Ok(length == SIGNATURE.len() && behind == SIGNATURE)
}
