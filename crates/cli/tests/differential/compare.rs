//! What may differ between the model, umoci's directory and our image, and nothing more.

use std::collections::BTreeSet;

use nex_testkit::manifest::{self, Entry, Kind, Manifest};
use nex_testkit::{Result, guest_files};

/// What directories get that no layer describes: the creation time in the config that testkit writes,
/// 2024-05-06T07:08:09Z.
pub const CREATED: Time = (1_714_979_289, 0);
const SETGID: u32 = 0o2000;
const IMPLICIT_MODE: u32 = 0o755;

/// A time: seconds since 1970, and nanoseconds.
pub type Time = (i64, u32);

/// Our tree is the expected one, but for the guest's files.
///
/// # Errors
/// A list of the differences.
pub fn ours(expected: &Manifest, mut ours: Manifest) -> Result<()> {
    for path in guest_files::ALWAYS.map(str::as_bytes) {
        if !expected.contains_key(path) {
            ours.remove(path);
        }
    }
    manifest::equal(expected, &ours)
}

/// umoci's tree is the expected one, but for what umoci takes from the machine on which it runs.
///
/// `described` has the times of all directories in the layers; `started` is the time at which umoci was started, in seconds
/// since 1970.
///
/// # Errors
/// A list of the differences.
pub fn theirs(described: &BTreeSet<Time>, expected: &Manifest, mut theirs: Manifest, started: i64) -> Result<()> {
    let is_from_stack = |time: &Time| *time == CREATED || described.contains(time);
    for (path, entry) in theirs.iter_mut().filter(|(_, entry)| entry.kind == Kind::Directory) {
        let Some(wanted) = expected.get(path) else { continue };
        if is_of_machine(path, entry, started) && is_from_stack(&wanted.modified) {
            entry.modified = wanted.modified;
        }
        if is_inherited(entry, wanted) {
            (entry.mode, entry.gid) = (wanted.mode, wanted.gid);
        }
    }
    manifest::equal(expected, &theirs)
}

/// Both trees are the same, but for all that.
///
/// # Errors
/// A list of the differences.
pub fn equal(described: &BTreeSet<Time>, theirs: Manifest, ours: Manifest, started: i64) -> Result<()> {
    let guests =
        |path: &Vec<u8>| guest_files::ALWAYS.iter().any(|guest| guest.as_bytes() == path) && !theirs.contains_key(path);
    let ours: Manifest = ours.into_iter().filter(|(path, _)| !guests(path)).collect();
    self::theirs(described, &ours, theirs, started)
}

/// Whether umoci took a directory's time from the clock, as it does for directories that it makes for others and for
/// those in which it makes more than one at once; or whether it is the root's in an image that does not describe it.
fn is_of_machine(path: &[u8], entry: &Entry, started: i64) -> bool {
    entry.modified.0 >= started && entry.modified.0 < started + 600 || path.is_empty() && entry.modified == (0, 0)
}

/// Whether `mkdir(2)` gave a directory that no layer describes the group of the directory above it. Ours is root's.
fn is_inherited(theirs: &Entry, ours: &Entry) -> bool {
    theirs.mode == SETGID | IMPLICIT_MODE
        && (ours.mode, ours.uid, ours.gid, ours.modified) == (IMPLICIT_MODE, 0, 0, CREATED)
}
