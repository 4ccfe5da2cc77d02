//! A root filesystem's file that is to be changed in place: opened, and nobody else's meanwhile.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nex_ext4::{EditError, Editor};
use nex_fault::{Code, Fault, Remedy};
use nex_file::kind;
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;
use thiserror::Error;

use crate::codes;

/// Where the kernel lists the files behind its loop devices.
const BLOCK_DEVICES: &str = "/sys/block";

/// Why a file cannot be changed in place.
#[derive(Debug, Error)]
pub enum ExistingFileError {
    /// The file cannot be opened to read and write.
    #[error("cannot open '{}' to change it", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// The file is a directory, a device or a pipe.
    #[error("'{}' is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// The file is compressed.
    #[error("'{}' is compressed, and nothing in it can be changed in place", .path.display())]
    Compressed {
        /// The file.
        path: PathBuf,
        /// What unpacks it.
        program: &'static str,
    },
    /// Another program has locked the file.
    #[error("'{}' is in use: another program, such as nex or a virtual machine, has locked it", .0.display())]
    Locked(PathBuf),
    /// The kernel has the file as a block device.
    #[error("'{}' is in use: it is attached as {device}", .path.display())]
    Attached {
        /// The file.
        path: PathBuf,
        /// The device.
        device: String,
    },
    /// The name leads to another file since it was locked.
    #[error("'{}' was replaced while it was opened", .0.display())]
    Replaced(PathBuf),
    /// The file would become longer than the host allows.
    #[error("'{}' would be larger than a file may be there", .0.display())]
    TooLarge(PathBuf),
    /// The file system does not take the change.
    #[error("'{}'", .path.display())]
    FileSystem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: EditError,
    },
}

impl Fault for ExistingFileError {
    fn code(&self) -> Code {
        match self {
            Self::Open { .. } => codes::CHANGE_UNREADABLE,
            Self::NotAFile(_) | Self::Compressed { .. } => codes::CHANGE_NOT_A_FILE,
            Self::Locked(_) | Self::Attached { .. } | Self::Replaced(_) => codes::CHANGE_IN_USE,
            Self::TooLarge(_) => codes::CHANGE_FILE_TOO_LARGE,
            Self::FileSystem { cause, .. } => cause.code(),
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::NotAFile(_) => Remedy::say("name a file that nex rootfs made"),
            Self::Compressed { path, program } => {
                Remedy::say(format!("unpack it first: {program} {}", nex_text::shell_word(path)))
            }
            Self::Locked(_) => Remedy::say("try again when that has ended"),
            Self::Attached { .. } => Remedy::say("unmount and detach that first"),
            Self::Replaced(_) => Remedy::say("try again"),
            Self::TooLarge(_) => Remedy::say("raise the limit (ulimit -f), or move it to another file system"),
            Self::FileSystem { cause, .. } => return cause.remedy(),
            Self::Open { .. } => return None,
        })
    }
}

/// A locked file. The lock goes with it.
pub struct ExistingFile {
    path: PathBuf,
    file: File,
}

impl ExistingFile {
    /// Opens the file and locks it against other programs that respect locks.
    ///
    /// # Errors
    /// When it cannot be opened, is no regular file, is compressed, or somebody else uses it.
    pub fn open(path: &Path) -> Result<Self, ExistingFileError> {
        let cannot_open = |cause| ExistingFileError::Open { path: path.into(), cause };
        let file = nex_file::open_regular_to_change(path).map_err(|cause| match cause.kind() {
            io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => ExistingFileError::NotAFile(path.into()),
            _ => cannot_open(cause),
        })?;
        if !lock(&file).map_err(cannot_open)? {
            return Err(ExistingFileError::Locked(path.into()));
        }
        // A build may have put another file in its place before it was locked.
        let (opened, named) = (file.metadata().map_err(cannot_open)?, fs::metadata(path).map_err(cannot_open)?);
        if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
            return Err(ExistingFileError::Replaced(path.into()));
        }
        if let Some(device) = loop_device(&opened) {
            return Err(ExistingFileError::Attached { path: path.into(), device });
        }
        match compression(&file).map_err(cannot_open)? {
            Some(program) => Err(ExistingFileError::Compressed { path: path.into(), program }),
            None => Ok(Self { path: path.into(), file }),
        }
    }

    /// The file's length in bytes.
    ///
    /// # Errors
    /// When the host does not say.
    pub fn length(&self) -> Result<u64, ExistingFileError> {
        let metadata = self.file.metadata();
        metadata
            .map(|metadata| metadata.len())
            .map_err(|cause| ExistingFileError::Open { path: self.path.clone(), cause })
    }

    /// Opens the file system in the file.
    ///
    /// # Errors
    /// When there is none that can be changed in place.
    pub fn editor(&self) -> Result<Editor<'_>, ExistingFileError> {
        Editor::open(&self.file).map_err(|cause| self.error(cause))
    }

    /// The error of this file's file system.
    pub fn error(&self, cause: EditError) -> ExistingFileError {
        match cause {
            EditError::Io { source, .. } if source.kind() == io::ErrorKind::FileTooLarge => {
                ExistingFileError::TooLarge(self.path.clone())
            }
            cause => ExistingFileError::FileSystem { path: self.path.clone(), cause },
        }
    }
}

/// Takes both kinds of locks: nex's own are of the first, and QEMU's of the second. `false` when somebody else has one.
/// Where the host's file system has no locks, there is nobody to ask.
fn lock(file: &File) -> io::Result<bool> {
    let exclusive = FlockOperation::NonBlockingLockExclusive;
    for taken in [flock(file, exclusive), fcntl_lock(file, exclusive)] {
        match taken {
            Err(Errno::WOULDBLOCK | Errno::ACCESS) => return Ok(false),
            Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// The loop device that shows this file. Who may not look there finds none.
fn loop_device(file: &fs::Metadata) -> Option<String> {
    fs::read_dir(BLOCK_DEVICES).ok()?.filter_map(Result::ok).find_map(|device| {
        let backing = fs::read_to_string(device.path().join("loop/backing_file")).ok()?;
        let backing = fs::metadata(backing.trim_end_matches('\n')).ok()?;
        let is_same = (backing.dev(), backing.ino()) == (file.dev(), file.ino());
        is_same.then(|| format!("/dev/{}", device.file_name().to_string_lossy()))
    })
}

/// The program that unpacks the file; `None` when it is not compressed.
fn compression(file: &File) -> io::Result<Option<&'static str>> {
    let mut start = vec![0; kind::START];
    let length = file.read_at(&mut start, 0)?;
    Ok(kind::of(&start[..length]).and_then(|kind| kind.unpack_in_place))
}
