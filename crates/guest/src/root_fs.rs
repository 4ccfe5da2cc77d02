//! The root filesystem, as a guest wants it: an ext4 file system from the first byte on.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nex_fault::{Code, Fault, Remedy};
use nex_file::kind::{self, FileKind, Format};
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

/// Makes sure that a file or a block device holds a root filesystem.
///
/// # Errors
/// When it cannot be read, or is something else than an ext4 file system.
pub fn check(path: &Path) -> Result<(), RootError> {
    let mut head = Vec::new();
    let read = nex_file::open_disk(path).and_then(|file| file.take(kind::START as u64).read_to_end(&mut head));
    read.map_err(|cause| RootError::Read { path: path.into(), cause })?;
    if Format::Ext4.matches(&head) {
        return Ok(());
    }
    let kind = kind::of(&head);
    let what = kind.map_or("it has no ext4 superblock".into(), |kind| format!("it is {}", kind.what).into());
    let remedy = kind.and_then(FileKind::remedy).unwrap_or_else(|| "make one with nex rootfs".into());
    Err(RootError::Other { path: path.into(), what, remedy: Remedy::say(remedy) })
}
