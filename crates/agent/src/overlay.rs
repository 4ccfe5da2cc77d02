//! An overlay over a root that others share: read by all, changed by none.
//!
//! ```text
//! /            the overlay
//! /dev, /proc  moved from the root below
//! /run         new
//! /run/nex/overlay   the drive that takes the changes, if it is one; who unmounts it last leaves it clean
//! ```

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nex_contract::Upper;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};
use nix::unistd::{chdir, pivot_root};

use crate::device;
use crate::mounts::{make_directory, mount_device};

/// Where the drive with the changes is mounted in the end.
pub const DRIVE: &str = "/run/nex/overlay";

/// How long to wait for that drive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the root for the change is made: a directory that every root has.
const STAGE: &str = "/run";

/// Whether the root is an overlay already.
pub fn is_there() -> bool {
    statfs("/").is_ok_and(|root| root.filesystem_type() == OVERLAYFS_SUPER_MAGIC)
}

/// Makes an overlay with this upper layer the root. `/proc` and `/dev` should be mounted.
///
/// # Errors
/// When it cannot be made. The root below is then as it was, but for its mounts.
pub fn enter(upper: &Upper) -> Result<(), String> {
    protect_root()?;
    let stage = Path::new(STAGE);
    let tmpfs = |target: &Path| {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some("mode=0755"))
            .map_err(|error| format!("cannot mount a tmpfs on {}: {error}", target.display()))
    };
    tmpfs(stage)?;
    let (changes, root) = (stage.join("changes"), stage.join("root"));
    make_directory(&changes)?;
    make_directory(&root)?;
    if let Upper::Drive(drive) = upper {
        device::wait_for(drive, Some(PATIENCE))?;
        mount_device(drive, &changes, "ext4", MsFlags::MS_NODEV, None)?;
    }
    let (upper_dir, work_dir) = (changes.join("upper"), changes.join("work"));
    make_directory(&upper_dir)?;
    make_directory(&work_dir)?;
    let options = format!("lowerdir=/,upperdir={},workdir={}", upper_dir.display(), work_dir.display());
    mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(options.as_str())).map_err(|error| {
        format!("cannot mount the overlay: {error}; does the kernel have overlayfs, and the drive room?")
    })?;

    for place in ["dev", "proc", "sys"] {
        let (from, to) = (Path::new("/").join(place), root.join(place));
        move_mount(&from, &to)?;
    }
    tmpfs(&root.join("run"))?;
    if let Upper::Drive(_) = upper {
        let drive = root.join(DRIVE.trim_start_matches('/'));
        make_directory(&drive)?;
        move_mount(&changes, &drive)?;
    }
    change_root(&root).map_err(|error| format!("cannot change to the overlay: {error}"))
}

/// Has nobody write to the root below, by whatever way.
fn protect_root() -> Result<(), String> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(|error| format!("cannot make the root below the overlay read-only: {error}"))
}

/// Moves a mount; what is none stays.
fn move_mount(from: &Path, to: &Path) -> Result<(), String> {
    match mount(Some(from), to, None::<&str>, MsFlags::MS_MOVE, None::<&str>) {
        Ok(()) | Err(nix::Error::EINVAL) => Ok(()),
        Err(error) => Err(format!("cannot move {} to {}: {error}", from.display(), to.display())),
    }
}

/// Changes to a new root and lets go of the old one, which the overlay keeps.
fn change_root(root: &Path) -> nix::Result<()> {
    chdir(root)?;
    // With both names the same, the old root comes to lie over the new one; see pivot_root(2).
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")
}

/// Becomes another init, with the kernel's arguments for it. Returns only when that fails.
pub fn become_init(program: &str, arguments: impl Iterator<Item = OsString>) -> String {
    let error = Command::new(program).args(arguments).exec();
    format!("cannot start the init {program}: {error}")
}
