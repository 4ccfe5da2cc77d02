//! Alpine's root file systems, which lie beside the project where it is developed, and not on a user's machine.

use std::env;
use std::path::PathBuf;

use crate::places;

/// Names the directory of the corpus, when it is not `../shared/corpus` beside the workspace.
const VARIABLE: &str = "NEX_TEST_CORPUS";

/// Alpine 3.20.3 as a gzip tar for `x86_64` or `aarch64`. `None`, with a line that says so, when it is not there.
pub fn alpine(machine: &str) -> Option<PathBuf> {
    let directory = env::var_os(VARIABLE).map_or_else(|| places::workspace().join("../shared/corpus"), PathBuf::from);
    let file = directory.join(format!("alpine-minirootfs-3.20.3-{machine}.tar.gz"));
    if file.is_file() {
        return Some(file);
    }
    eprintln!("LEFT OUT: {} is not there; {VARIABLE} names another directory", file.display());
    None
}
