//! Removes a run's tree.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;

use nex_file::remove::{PREFIX, Stuck};

use super::snapshot::PROBE;

/// Removes what has this name in a directory that belongs to the run, and what an earlier attempt has left of it. It need not be
/// there.
///
/// # Errors
/// When something stays, such as an immutable file; the first such thing. Everything else is removed.
pub fn remove(place: &impl AsFd, name: &str) -> Result<(), Stuck> {
    let found = nex_file::tree::names(place).map_err(|errno| Stuck { path: ".".into(), errno })?;
    let found = found.iter().map(|name| name.to_bytes());
    let left = found.filter(|name| name.starts_with(PREFIX.as_bytes()) || *name == PROBE.as_bytes());
    let names = left.map(|name| OsString::from_vec(name.to_vec())).chain([name.into()]).collect();
    nex_file::remove::trees(place, names)
}
