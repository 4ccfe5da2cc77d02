//! The guest's root, as the agent sees it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nex_contract::{Found, Root};

/// The file system that this process is in.
pub struct OwnRoot;

impl Root for OwnRoot {
    fn find(&self, path: &Path) -> Option<Found> {
        const ANY_EXECUTE: u32 = 0o111;
        let metadata = path.metadata().ok()?;
        Some(match metadata.is_file() && metadata.permissions().mode() & ANY_EXECUTE != 0 {
            true => Found::Program,
            false if metadata.is_dir() => Found::Directory,
            false => Found::Other,
        })
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, String> {
        let mut bytes = Vec::new();
        match File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("cannot read {path}: {error}")),
        }
    }
}
