//! Where tests find and keep things.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::failure::Context;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_directory.ancestors().nth(2).map_or_else(|| crate_directory.to_owned(), Path::to_owned)
}

/// `target/test-images`: images that take long to make and are kept between runs.
///
/// # Errors
/// When the directory cannot be made.
pub fn image_cache() -> Result<PathBuf> {
    let cache = workspace().join("target/test-images");
    fs::create_dir_all(&cache).context(cache.display())?;
    Ok(cache)
}

/// Whether the test runs as root, which loop mounts, device nodes and foreign owners need.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
