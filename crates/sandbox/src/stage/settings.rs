//! Settings of the namespaces that a process is in (`/proc/sys`).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::mount::MountAttrFlags;

use super::mounts;

/// The settings, in a `/proc` of our own: the host's may be read-only, and shows nothing else.
pub struct Settings(OwnedFd);

impl Settings {
    /// Those of this process. It must be root of its user namespace.
    pub fn open() -> io::Result<Self> {
        Ok(Self(mounts::new("proc", &[], mounts::LOCKED | MountAttrFlags::MOUNT_ATTR_NOEXEC)?))
    }

    /// Sets one: `kernel/shmmax`.
    ///
    /// # Errors
    /// When the kernel does not have it, or does not let us.
    pub fn set(&self, name: &str, value: impl ToString) -> io::Result<()> {
        self.file(name, OFlags::WRONLY)?.write_all(value.to_string().as_bytes())
    }

    /// A number.
    ///
    /// # Errors
    /// When the kernel does not have it, or it is none.
    pub fn number(&self, name: &str) -> io::Result<u64> {
        let mut value = String::new();
        self.file(name, OFlags::RDONLY)?.read_to_string(&mut value)?;
        value.trim().parse().map_err(io::Error::other)
    }

    fn file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let path = format!("sys/{name}");
        Ok(rustix::fs::openat(self.0.as_fd(), path, flags | OFlags::CLOEXEC, Mode::empty())?.into())
    }
}
