//! Makes the tree the root of this process, with what scripts need mounted in it; the host is out of reach from then on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::CWD;
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags, move_mount};

use super::{devices, doing, mounts, proc, setup_files};
use crate::Mount;
use crate::failure::Failure;
use crate::protocol::Setup;

/// Enters the tree. The files are mounts that are not attached yet: the tree, and those that the caller asked for.
///
/// The working directory is the one in which the tree is.
pub fn enter(setup: &Setup, mut files: impl Iterator<Item = OwnedFd>) -> Result<(), Failure> {
    let tree = files.next().ok_or("the monitor has passed no tree")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(doing("making the mounts private"))?;
    // pivot_root(2) wants a mount of this namespace.
    let onto_itself = move_mount(&tree, c"", CWD, c"root", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH);
    onto_itself.map_err(doing("mounting the tree"))?;
    proc::mount(tree.as_fd())?;
    devices::mount(tree.as_fd())?;
    setup_files::mount(tree.as_fd(), setup)?;
    for (mount, file) in setup.world.mounts.iter().zip(files) {
        attach(tree.as_fd(), mount, file.as_fd()).map_err(doing(format_args!(
            "mounting '{}' at {}",
            mount.source.display(),
            nex_text::short_name(&mount.target)
        )))?;
    }
    (|| {
        rustix::process::fchdir(&tree)?;
        // The old root goes on top of the new one, from where it is taken away, with all that is mounted in it.
        rustix::process::pivot_root(c".", c".")?;
        rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
        rustix::process::chdir(c"/")
    })()
    .map_err(doing("making the tree the root"))
}

fn attach(tree: BorrowedFd, mount: &Mount, file: BorrowedFd) -> rustix::io::Result<()> {
    mounts::attach(file, mounts::inside(tree, &mount.target)?.as_fd())?;
    let restrictions = MountFlags::NOSUID | MountFlags::NODEV;
    mounts::restrict(file, if mount.read_only { restrictions | MountFlags::RDONLY } else { restrictions })
}
