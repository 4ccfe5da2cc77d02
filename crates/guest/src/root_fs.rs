//! The root filesystem, as a guest wants it: an ext4 file system from the first byte on.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use nex_fault::{Code, Fault, Remedy};
use nex_file::kind::{self, FileKind, Format};
use nex_inspect::{RootFs, RootFsError};
use nex_vmm::Disk;
use thiserror::Error;

/// Why a file is no root filesystem for a guest.
#[derive(Debug, Error)]
pub enum RootError {
    /// It cannot be read.
    #[error("cannot read '{}'", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// It holds something else.
    #[error("'{}' is no root filesystem that a guest can have: {what}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: Cow<'static, str>,
        /// What to do.
        remedy: Remedy,
    },
}

impl Fault for RootError {
    fn code(&self) -> Code {
        match self {
            Self::Read { .. } => nex_inspect::codes::UNREADABLE,
            Self::Other { .. } => nex_inspect::codes::NOT_EXT4,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Read { .. } => None,
            Self::Other { remedy, .. } => Some(remedy.clone()),
        }
    }
}

/// The root filesystem's file, opened once: what is checked of it is what the guest has, whatever stands under its name by then.
#[derive(Clone, Debug)]
pub struct Root {
    disk: Disk,
}

impl Root {
    /// Opens a file or a block device, and makes sure that it holds a root filesystem.
    ///
    /// # Errors
    /// When it cannot be read, or is something else than an ext4 file system.
    pub fn open(path: &Path) -> Result<Self, RootError> {
        let failed = |cause| RootError::Read { path: path.into(), cause };
        let file = nex_file::open_disk(path).map_err(failed)?;
        let mut head = Vec::new();
        // Others have this file under other numbers, and the place in it is theirs, too.
        (&file).take(kind::START as u64).read_to_end(&mut head).and_then(|_| (&file).rewind()).map_err(failed)?;
        if Format::Ext4.matches(&head) {
            return Ok(Self { disk: Disk::of(path, file) });
        }
        let kind = kind::of(&head);
        let what = kind.map_or("it has no ext4 superblock".into(), |kind| format!("it is {}", kind.what).into());
        let remedy = kind.and_then(FileKind::remedy).unwrap_or_else(|| "make one with nex rootfs".into());
        Err(RootError::Other { path: path.into(), what, remedy: Remedy::say(remedy) })
    }

    /// The name that it had when it was opened.
    pub fn path(&self) -> &Path {
        self.disk.path()
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        self.disk.file()
    }

    /// What is in it.
    ///
    /// # Errors
    /// When it is no ext4 file system that can be read: a guest's kernel may still do with it.
    pub fn read(&self) -> Result<RootFs, RootFsError> {
        RootFs::from_file(self.path(), self.file().try_clone()?)
    }

    /// It as a drive's.
    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }
}
