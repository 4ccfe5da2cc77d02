//! A loop device that is held: while it is, no other's lines in the kernel's log bear its name.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Context;
use crate::{Result, command};

/// A loop device before a file; the kernel frees it when neither this nor a mount holds it any more.
pub struct LoopDevice {
    path: PathBuf,
    _held: File,
}

impl LoopDevice {
    /// Puts a loop device before a file.
    ///
    /// # Errors
    /// When there is none to be had, or when this is not root.
    pub fn attach(file: &Path, read_only: bool) -> Result<Self> {
        let mut losetup = Command::new("losetup");
        losetup.args(["--find", "--show"]).args(read_only.then_some("--read-only")).arg(file);
        let output = command::run(&mut losetup)?;
        let path = PathBuf::from(OsStr::from_bytes(output.trim_ascii_end()));
        let held = File::open(&path).context(path.display());
        // Detached in use, it goes with its last user (LO_FLAGS_AUTOCLEAR), however this process ends.
        command::run(Command::new("losetup").arg("--detach").arg(&path))?;
        Ok(Self { path, _held: held? })
    }

    /// Its path beneath `/dev`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, as the kernel's log and `/sys/fs/ext4` have it.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(OsStr::to_str).unwrap_or_default()
    }
}
