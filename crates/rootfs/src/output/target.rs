//! A file that the user names and a build writes. Whatever is wrong with it shows before any work is done.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nex_cancel::Workspace;

use super::error::{OutputError, Role};
use super::unfinished::{Others, Unfinished};

/// A name and what gets it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The name.
    pub path: &'a Path,
    /// What the file is for.
    pub role: Role,
}

impl Target<'_> {
    /// Makes the file that can get the name when it is finished.
    ///
    /// # Errors
    /// When the name cannot be had.
    pub fn create(self, workspace: &Workspace) -> Result<Unfinished, OutputError> {
        self.create_for(Others::AsUmaskHasIt, workspace)
    }

    /// Makes a file beside the one that will have the name, as [`create`](Self::create) does.
    ///
    /// # Errors
    /// When the name cannot be had.
    pub fn create_for(self, others: Others, workspace: &Workspace) -> Result<Unfinished, OutputError> {
        self.check()?;
        create_in(&self.directory(), self.role, others, workspace)
    }

    /// Only a regular file or a symbolic link may be replaced.
    fn check(self) -> Result<(), OutputError> {
        let Self { path, role } = self;
        if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(OutputError::IsDirectory { path: path.into(), role });
        }
        let Ok(metadata) = path.symlink_metadata() else {
            return Ok(());
        };
        // A link to a device, such as /dev/stdout, stands for the device.
        let kind = path.metadata().map_or(metadata.file_type(), |target| target.file_type());
        if kind.is_dir() {
            Err(OutputError::IsDirectory { path: path.into(), role })
        } else if kind.is_block_device() || kind.is_char_device() || kind.is_fifo() || kind.is_socket() {
            Err(OutputError::NotAFile { path: path.into(), role })
        } else {
            Ok(())
        }
    }

    /// An error of the system, in the user's terms.
    pub fn error(self, cause: io::Error) -> OutputError {
        error_in(self.directory(), self.role, cause)
    }

    /// Whether another name is this one, however it is written.
    pub fn is_same(self, other: Target) -> bool {
        let whole = |target: Target| Some(target.directory().canonicalize().ok()?.join(target.path.file_name()?));
        whole(self).is_some_and(|path| whole(other) == Some(path))
    }

    /// The directory in which the file grows.
    pub fn directory(self) -> PathBuf {
        match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent.into(),
            _ => ".".into(),
        }
    }
}

/// Makes a file that has no name yet.
///
/// # Errors
/// When the directory takes none.
pub fn create_in(
    directory: &Path,
    role: Role,
    others: Others,
    workspace: &Workspace,
) -> Result<Unfinished, OutputError> {
    Unfinished::create(directory, others, workspace).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => OutputError::NoDirectory { directory: directory.into(), role },
        _ => error_in(directory.into(), role, cause),
    })
}

fn error_in(directory: PathBuf, role: Role, cause: io::Error) -> OutputError {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OutputError::NoSpace { directory, role },
        io::ErrorKind::FileTooLarge => OutputError::FileTooLarge { directory, role },
        _ => OutputError::Io { place: directory, cause },
    }
}
