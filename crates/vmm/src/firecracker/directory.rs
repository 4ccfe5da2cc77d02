//! A directory of our own for sockets, which need names.
//!
//! It is locked as long as we live. One that is not locked was left behind by somebody who was killed, and the next one who
//! makes such a directory removes it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::FlockOperation;
use tempfile::TempDir;

/// What the names begin with.
const PREFIX: &str = "nex-firecracker-";

/// A directory; dropped, it goes.
pub struct Directory {
    // Held for its `Drop`.
    _directory: TempDir,
    /// Open, and locked.
    pub handle: File,
}

impl Directory {
    /// Makes one in `TMPDIR` or `/tmp`, and removes what was left behind there.
    pub fn new() -> io::Result<Self> {
        let place = std::env::temp_dir();
        remove_abandoned(&place);
        let directory = nex_file::private::temporary_directory(&place, PREFIX)?;
        let handle = File::open(directory.path())?;
        rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { _directory: directory, handle })
    }
}

/// Removes directories of this user that nobody has locked. Whatever cannot be removed stays for the next one to try.
fn remove_abandoned(place: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes())
            && entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user);
        if is_ours && is_abandoned(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether nobody has locked a directory, and has had the time to do so.
fn is_abandoned(directory: &Path) -> bool {
    let Ok(handle) = File::open(directory) else { return false };
    let is_new = || {
        handle
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|made| made.elapsed().is_ok_and(|age| age.as_secs() < 1))
    };
    rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive).is_ok() && !is_new()
}
