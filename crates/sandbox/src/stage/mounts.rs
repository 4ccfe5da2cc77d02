//! Mounts, by descriptors alone: no name is looked up twice, and no symbolic link of the tree leads out of it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, StatVfsMountFlags};
use rustix::io::{Errno, Result};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_reconfigure, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use crate::failure::{Advice, Failure};
use crate::{Mount, sys};

/// What no mount of ours allows.
pub const LOCKED: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);

/// A new file system, not attached yet. Options without a value are flags.
pub fn new(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> Result<OwnedFd> {
    let context = context(kind, options)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// A new file system in memory, not attached yet. Once it is filled, nobody can change anything in it, wherever it is
/// mounted.
pub fn unchangeable(
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
    fill: impl FnOnce(BorrowedFd) -> io::Result<()>,
) -> io::Result<OwnedFd> {
    let context = context("tmpfs", options)?;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    fill(mount.as_fd())?;
    fsconfig_set_flag(&context, "ro")?;
    fsconfig_reconfigure(&context)?;
    Ok(mount)
}

fn context(kind: &str, options: &[(&str, &str)]) -> Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        match *value {
            "" => fsconfig_set_flag(&context, *key)?,
            value => fsconfig_set_string(&context, *key, value)?,
        }
    }
    fsconfig_create(&context)?;
    Ok(context)
}

/// One more mount of what a path below a directory names, not attached yet.
pub fn another(directory: impl AsFd, path: &str) -> Result<OwnedFd> {
    open_tree(directory, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
}

/// One more mount of a file or directory of the host, and of all that is mounted below it, not attached yet. Setuid programs
/// and devices mean nothing in any of them, and none can be written to if the mount is read-only.
///
/// Before Linux 5.12 rights can be taken from one mount alone, once it is attached ([`restrict`]). What has others below it
/// is refused then.
pub fn take(mount: &Mount) -> std::result::Result<OwnedFd, Failure> {
    let restrictions = if mount.read_only { LOCKED | MountAttrFlags::MOUNT_ATTR_RDONLY } else { LOCKED };
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let failed = |cause: io::Error| Failure::from(format!("mounting '{}': {cause}", mount.source.display()));
    let all =
        open_tree(CWD, &mount.source, clone | OpenTreeFlags::AT_RECURSIVE).map_err(|cause| failed(cause.into()))?;
    match sys::restrict_mounts(all.as_fd(), restrictions) {
        Ok(()) => return Ok(all),
        // Containers forbid calls that they do not know by either.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {}
        Err(error) => return Err(failed(error)),
    }
    // What this namespace has not mounted itself, it cannot leave out either: the kernel refuses to show what is below.
    open_tree(CWD, &mount.source, clone).map_err(|error| match error {
        Errno::INVAL => {
            let what = format!("mounting '{}': other file systems are mounted below it, and this kernel cannot keep scripts from writing to \
             them and from their setuid programs and devices (mount_setattr, Linux 5.12, which a container may forbid \
             too)",
            mount.source.display()
        ); Failure::advised(what, Advice::MountedBelow) }
        error => failed(error.into()),
    })
}

/// Attaches a mount over a file or directory.
pub fn attach(mount: BorrowedFd, target: BorrowedFd) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, c"", target, c"", flags)
}

/// Takes rights away from an attached mount; it keeps the restrictions that it has.
pub fn restrict(mount: BorrowedFd, restrictions: MountFlags) -> Result<()> {
    let present = rustix::fs::fstatvfs(mount)?.f_flag;
    let mut flags = MountFlags::BIND | restrictions;
    for (is, becomes) in [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if present.contains(is) {
            flags |= becomes;
        }
    }
    rustix::mount::mount_remount(format!("/proc/self/fd/{}", mount.as_raw_fd()), flags, c"")
}

/// A directory of the tree that stands where it says, and not behind a symbolic link.
pub fn real_directory(tree: BorrowedFd, path: &str) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(tree, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// What a path means inside the tree, its symbolic links taken as after a chroot(2).
pub fn inside(tree: BorrowedFd, path: &[u8]) -> Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(tree, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}
