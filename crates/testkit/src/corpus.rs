//! Alpine's root file systems, which lie beside the project where it is developed, and not on a user's machine.

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::{Result, places};

/// Names the directory of the corpus, when it is not `../shared/corpus` beside the workspace.
const VARIABLE: &str = "NEX_TEST_CORPUS";

/// The tar of Alpine 3.20.3 for `x86_64` or `aarch64`. `None`, with a line that says so, when it is not there.
///
/// # Errors
/// When it is there and cannot be read.
pub fn alpine(machine: &str) -> Result<Option<Vec<u8>>> {
    let directory = directory();
    let Some(file) = found(&directory, machine) else { return Ok(None) };
    let mut tar = Vec::new();
    GzDecoder::new(File::open(file)?).read_to_end(&mut tar)?;
    Ok(Some(tar))
}

/// The directory with the files of Alpine 3.20.3 for both machines, compressed as Alpine offers them. `None`, with a line that says
/// so, when one is not there.
pub fn alpine_files() -> Option<PathBuf> {
    let directory = directory();
    ["x86_64", "aarch64"].iter().all(|machine| found(&directory, machine).is_some()).then_some(directory)
}

fn directory() -> PathBuf {
    env::var_os(VARIABLE).map_or_else(|| places::workspace().join("../shared/corpus"), PathBuf::from)
}

fn found(directory: &Path, machine: &str) -> Option<PathBuf> {
    let file = directory.join(format!("alpine-minirootfs-3.20.3-{machine}.tar.gz"));
    if file.is_file() {
        return Some(file);
    }
    eprintln!("LEFT OUT: {} is not there; {VARIABLE} names another directory", file.display());
    None
}
