//! A file system that stopped in the middle of writes: what was synced before is there after a replay, and it is clean.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use ext4_view::Ext4;

use crate::failure::Context;
use crate::kernel::{self, Access, Mount};
use crate::{Failure, Result, command, fsck};

/// A shell script that writes what must be there after the stop, and syncs it.
pub const KEEP: &str = "mkdir kept; for i in $(seq 40); do seq $((i * 300)) >kept/$i; done; sync -f .";

/// A shell script that fails unless [`KEEP`]'s files are there.
pub const FIND: &str = "for i in $(seq 40); do seq $((i * 300)) | cmp - kept/$i; done";

/// A shell script that makes, changes, renames and deletes files until it is stopped.
pub const GO_ON: &str = "
i=0
mkdir other
while :; do
    i=$((i + 1))
    seq 5000 >other/$((i % 50))
    ln -f other/$((i % 50)) other/link$((i % 70))
    mv other/link$((i % 70)) other/moved$((i % 30))
    rm -f other/$(((i + 7) % 50))
done
";

/// Stops of which a copy of a mounted image shows what they would have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Much was written that nobody synced.
    Unsynced,
    /// Writes go on while the image is copied.
    InTheMiddle,
}

/// How long writes go on before the stop.
const BEFORE: Duration = Duration::from_millis(300);

/// Mounts an image, runs [`KEEP`] and [`GO_ON`] in it, and gives what a stop at this moment leaves of it.
///
/// # Errors
/// When the kernel refuses, or finds a fault.
pub fn stop(image: &Path, moment: Moment) -> Result<tempfile::TempPath> {
    let mount = Mount::new(image, Access::ReadWrite)?;
    mount.run(KEEP)?;
    let mut writes = Command::new("sh").args(["-c", GO_ON]).current_dir(mount.path()).stderr(Stdio::null()).spawn()?;
    thread::sleep(BEFORE);
    if moment == Moment::Unsynced {
        writes.kill()?;
    }
    let copy = fsck::sparse_copy(image);
    writes.kill()?;
    writes.wait()?;
    mount.unmount()?;
    copy
}

/// The exit codes of an e2fsck that left everything in order.
const IN_ORDER: [i32; 2] = [0, 1];

/// What [`KEEP`] wrote is in the stopped image once its journal is replayed, by e2fsck and by the kernel where it can be
/// asked, and e2fsck has nothing to say then. Without the journal it would not be so.
///
/// # Errors
/// When any of that fails.
pub fn judge(image: &Path) -> Result<()> {
    replayed_by_e2fsck(image)?;
    if kernel::is_available() {
        replayed_by_the_kernel(image)?;
    }
    wants_its_journal(image)
}

fn replayed_by_e2fsck(image: &Path) -> Result<()> {
    let copy = fsck::sparse_copy(image)?;
    let result = command::output(Command::new("e2fsck").arg("-fy").arg(&copy).env("LC_ALL", "C"))?;
    let text = String::from_utf8_lossy(&result.stdout);
    if !result.status.code().is_some_and(|code| IN_ORDER.contains(&code)) || !text.contains("recovering journal") {
        return Err(Failure::new(format!("e2fsck -fy after the stop: {}\n{text}", result.status)));
    }
    fsck::check(&copy)?;
    is_kept(&copy)
}

fn replayed_by_the_kernel(image: &Path) -> Result<()> {
    let copy = fsck::sparse_copy(image)?;
    let mount = Mount::new(&copy, Access::ReadWrite)?;
    for (name, content) in kept() {
        let found = fs::read(mount.path().join(&name)).context(&name)?;
        same(&name, &content, &found)?;
    }
    mount.unmount()?;
    fsck::check(&copy)?;
    is_kept(&copy)
}

/// The stop was one: what was synced is partly in the journal only.
fn wants_its_journal(image: &Path) -> Result<()> {
    let copy = fsck::sparse_copy(image)?;
    command::run(Command::new("debugfs").args(["-w", "-R", "feature -needs_recovery"]).arg(&copy))?;
    if fsck::check(&copy).is_ok() && is_kept(&copy).is_ok() {
        return Err(Failure::new("the image is in order without its journal: it was not stopped in the middle"));
    }
    Ok(())
}

fn is_kept(image: &Path) -> Result<()> {
    let ext4 = Ext4::load_from_path(image)?;
    kept().try_for_each(|(name, content)| same(&name, &content, &ext4.read(format!("/{name}").as_str())?))
}

/// The names and contents that [`KEEP`] writes.
fn kept() -> impl Iterator<Item = (String, Vec<u8>)> {
    (1..=40).map(|i| (format!("kept/{i}"), (1..=i * 300).flat_map(|line| format!("{line}\n").into_bytes()).collect()))
}

fn same(name: &str, expected: &[u8], found: &[u8]) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Failure::new(format!("{name} has other content than was synced"))) }
}
