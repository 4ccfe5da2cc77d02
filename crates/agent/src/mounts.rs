//! The file systems that every Linux program expects.

use std::fs::{DirBuilder, Metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::Path;

use nix::mount::{MsFlags, mount};

/// One file system to mount.
struct Mount {
    kind: &'static str,
    target: &'static str,
    flags: MsFlags,
    options: Option<&'static str>,
    need: Need,
}

/// What it means when a kernel does not have a file system.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Programs will fail without it.
    Everybody,
    /// Few programs want it, and kernels of microVMs are built without.
    Few,
}

/// Where control groups are.
pub const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// In this order: the agent's own messages need `/proc` and `/dev` first.
const MOUNTS: [Mount; 8] = [
    Mount { kind: "proc", target: "/proc", flags: NO_PROGRAMS, options: None, need: Need::Everybody },
    Mount {
        kind: "devtmpfs",
        target: "/dev",
        flags: MsFlags::MS_NOSUID,
        options: Some("mode=0755"),
        need: Need::Everybody,
    },
    Mount { kind: "sysfs", target: "/sys", flags: NO_PROGRAMS, options: None, need: Need::Everybody },
    Mount { kind: "tmpfs", target: "/run", flags: NO_DEVICES, options: Some("mode=0755"), need: Need::Everybody },
    Mount { kind: "tmpfs", target: "/tmp", flags: NO_DEVICES, options: Some("mode=1777"), need: Need::Everybody },
    // 5 is the group tty everywhere, and programs that open a terminal for others expect it.
    Mount {
        kind: "devpts",
        target: "/dev/pts",
        flags: TERMINALS,
        options: Some("gid=5,mode=0620,ptmxmode=0666"),
        need: Need::Few,
    },
    Mount { kind: "tmpfs", target: "/dev/shm", flags: NO_DEVICES, options: Some("mode=1777"), need: Need::Everybody },
    Mount { kind: "cgroup2", target: CONTROL_GROUPS, flags: NO_PROGRAMS, options: None, need: Need::Few },
];

/// How many of them the agent needs itself, to see what is asked of it.
const FIRST: usize = 3;

const NO_DEVICES: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);
const NO_PROGRAMS: MsFlags = NO_DEVICES.union(MsFlags::MS_NOEXEC);
/// What is in there are devices.
const TERMINALS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC);

/// The names that shells and programs have for their own descriptors. udev makes them elsewhere.
const LINKS: [(&str, &str); 4] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];

/// Mounts `/proc`, `/dev` and `/sys`, and returns one message for each that could not be mounted.
pub fn mount_first() -> Vec<String> {
    MOUNTS[..FIRST].iter().filter_map(|wanted| wanted.mount().err()).collect()
}

/// Mounts the others.
///
/// What is already mounted stays: a kernel with `CONFIG_DEVTMPFS_MOUNT` has mounted `/dev` before.
pub fn mount_others() -> Vec<String> {
    for (target, link) in LINKS {
        // One that is there already will do.
        let _ = symlink(target, link);
    }
    MOUNTS[FIRST..].iter().filter_map(|wanted| wanted.mount().err()).collect()
}

/// Mounts a device on a directory, which is made where it is missing.
///
/// # Errors
/// When the kernel refuses.
pub fn mount_device(
    device: &Path,
    target: &Path,
    kind: &str,
    flags: MsFlags,
    options: Option<&str>,
) -> Result<(), String> {
    make_directory(target)?;
    mount(Some(device), target, Some(kind), flags, options)
        .map_err(|error| format!("cannot mount {} on {} as {kind}: {error}", device.display(), target.display()))
}

/// Makes a directory, with its parents, where it is missing.
///
/// # Errors
/// When it cannot be made.
pub fn make_directory(path: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(|error| format!("cannot make the directory {}: {error}", path.display()))
}

impl Mount {
    fn mount(&self) -> Result<(), String> {
        let Self { kind, target, need, .. } = self;
        if self.is_mounted() {
            return Ok(());
        }
        // A read-only root refuses this. Whether it matters shows when mounting: the directory may be there.
        let made = DirBuilder::new().recursive(true).mode(0o755).create(target);
        match mount(Some(*kind), *target, Some(*kind), self.flags, self.options) {
            Ok(()) | Err(nix::Error::EBUSY) => Ok(()),
            // The kernel has no such file system, and so no directory for it either.
            Err(nix::Error::ENODEV | nix::Error::ENOENT) if *need == Need::Few => Ok(()),
            Err(error) => Err(match made {
                Ok(()) => format!("cannot mount {kind} on {target}: {error}"),
                Err(reason) => format!("cannot mount {kind} on {target}: {error}; nor make the directory: {reason}"),
            }),
        }
    }

    /// Whether something other than the file system above it is there.
    fn is_mounted(&self) -> bool {
        let target = Path::new(self.target);
        let device = |path| std::fs::metadata(path).map(|metadata: Metadata| metadata.dev());
        let Some(parent) = target.parent() else { return true };
        matches!((device(parent), device(target)), (Ok(above), Ok(target)) if above != target)
    }
}
