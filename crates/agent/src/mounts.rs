//! The file systems that every Linux program expects.

use std::fs::{DirBuilder, Metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};

use nix::mount::{MsFlags, mount};

/// One file system to mount.
struct Mount {
    kind: &'static str,
    target: &'static str,
    flags: MsFlags,
    options: Option<&'static str>,
}

/// In this order: the agent's own messages need `/proc` and `/dev` first.
const MOUNTS: [Mount; 5] = [
    Mount { kind: "proc", target: "/proc", flags: NO_PROGRAMS, options: None },
    Mount { kind: "devtmpfs", target: "/dev", flags: MsFlags::MS_NOSUID, options: Some("mode=0755") },
    Mount { kind: "sysfs", target: "/sys", flags: NO_PROGRAMS, options: None },
    Mount { kind: "tmpfs", target: "/run", flags: NO_DEVICES, options: Some("mode=0755") },
    Mount { kind: "tmpfs", target: "/tmp", flags: NO_DEVICES, options: Some("mode=1777") },
];

const NO_DEVICES: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);
const NO_PROGRAMS: MsFlags = NO_DEVICES.union(MsFlags::MS_NOEXEC);

/// Mounts all of them and returns one message for each that could not be mounted.
///
/// What is already mounted stays: a kernel with `CONFIG_DEVTMPFS_MOUNT` has mounted `/dev` before.
pub fn mount_all() -> Vec<String> {
    MOUNTS.iter().filter_map(|wanted| wanted.mount().err()).collect()
}

impl Mount {
    fn mount(&self) -> Result<(), String> {
        let Self { kind, target, .. } = self;
        if self.is_mounted() {
            return Ok(());
        }
        // A read-only root refuses this. Whether it matters shows when mounting: the directory may be there.
        let made = DirBuilder::new().recursive(true).mode(0o755).create(target);
        match mount(Some(*kind), *target, Some(*kind), self.flags, self.options) {
            Ok(()) | Err(nix::Error::EBUSY) => Ok(()),
            Err(error) => Err(match made {
                Ok(()) => format!("cannot mount {kind} on {target}: {error}"),
                Err(reason) => format!("cannot mount {kind} on {target}: {error}; nor make the directory: {reason}"),
            }),
        }
    }

    /// Whether something other than the root's file system is there.
    fn is_mounted(&self) -> bool {
        let device = |path| std::fs::metadata(path).map(|metadata: Metadata| metadata.dev());
        matches!((device("/"), device(self.target)), (Ok(root), Ok(target)) if root != target)
    }
}
