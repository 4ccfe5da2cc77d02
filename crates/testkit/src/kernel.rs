//! The kernel as a judge: it mounts the image through a loop device, which only root may do.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::command;
use crate::failure::Context;
use crate::fsck;
use crate::host_tree;
use crate::kernel_log::{self, KernelLog};
use crate::loop_device::LoopDevice;
use crate::manifest::Manifest;
use crate::{Failure, Result, places};

const UNMOUNT_RETRIES: u32 = 20;
const UNMOUNT_PAUSE: Duration = Duration::from_millis(50);

/// Whether the kernel can judge here; says so when it cannot.
pub fn is_available() -> bool {
    let available = places::is_root();
    if !available {
        eprintln!("LEFT OUT: a loop mount is root's");
    }
    available
}

/// How an image is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing is written, not even the journal.
    ReadOnly,
    /// As a guest would.
    ReadWrite,
}

/// A mounted image; dropped, it is unmounted.
pub struct Mount {
    directory: Option<tempfile::TempDir>,
    device: LoopDevice,
    log: KernelLog,
}

impl Mount {
    /// Mounts an image on a new directory.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new(image: &Path, access: Access) -> Result<Self> {
        match access {
            Access::ReadOnly => Self::attached(LoopDevice::attach(image, true)?, "ro,noload"),
            Access::ReadWrite => Self::with_options(image, "rw"),
        }
    }

    /// Mounts an image to write, with options of ext4.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn with_options(image: &Path, options: &str) -> Result<Self> {
        Self::attached(LoopDevice::attach(image, false)?, options)
    }

    fn attached(device: LoopDevice, options: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let log = KernelLog::from_now()?;
        let mut mount = Command::new("mount");
        command::run(mount.args(["-t", "ext4", "-o", options]).arg(device.path()).arg(directory.path()))?;
        Ok(Self { directory: Some(directory), device, log })
    }

    /// The root directory of the mounted file system.
    pub fn path(&self) -> &Path {
        self.directory.as_ref().map_or(Path::new("/nonexistent"), tempfile::TempDir::path)
    }

    /// The loop device's name, as it stands beneath `/sys/fs/ext4`.
    pub fn device(&self) -> &str {
        self.device.name()
    }

    /// Runs a shell script in the root directory, and gives what it wrote to its standard output.
    ///
    /// # Errors
    /// When its exit code is not 0; the text holds both of its outputs.
    pub fn run(&self, script: &str) -> Result<String> {
        let output = command::run(Command::new("sh").args(["-e", "-c", script]).current_dir(self.path()))?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Unmounts, and says when that fails, or when the kernel found a fault in the file system since it was mounted.
    ///
    /// # Errors
    /// When the kernel refuses, usually because a file is still open, or when its log complains.
    pub fn unmount(mut self) -> Result<()> {
        self.detach()?;
        let log = self.log.read()?;
        let mut faults = kernel_log::faults(&log);
        faults.retain(|line| kernel_log::names_device(line, self.device.name()));
        if faults.is_empty() { Ok(()) } else { Err(Failure::new(format!("the kernel's log: {}", faults.join("\n")))) }
    }

    fn detach(&mut self) -> Result<()> {
        let Some(directory) = self.directory.take() else { return Ok(()) };
        let result = unmount(directory.path());
        if result.is_err() {
            // The directory is a mount point still: deleting it would delete what is mounted.
            let kept = directory.keep();
            return result.context(format_args!("{} stays mounted", kept.display()));
        }
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Err(failure) = self.detach() {
            eprintln!("{failure}");
        }
    }
}

/// Unmounts, as soon as nobody holds a file: a process that another thread just started has copies of ours until it
/// executes its program.
fn unmount(place: &Path) -> Result<()> {
    for _ in 0..UNMOUNT_RETRIES {
        match command::run(Command::new("umount").arg(place)) {
            Err(failure) if failure.to_string().contains("target is busy") => thread::sleep(UNMOUNT_PAUSE),
            result => return result.map(drop),
        }
    }
    command::run(Command::new("umount").arg(place)).map(drop)
}

/// The tree as the kernel shows it.
///
/// # Errors
/// When it cannot be mounted or read.
pub fn read_tree(image: &Path) -> Result<Manifest> {
    let mount = Mount::new(image, Access::ReadOnly)?;
    let tree = host_tree::read(mount.path())?;
    mount.unmount()?;
    Ok(tree)
}

/// Mounts a copy to write, makes files, directories and links, unmounts, has e2fsck check it, and finds them again.
///
/// # Errors
/// When any of these steps fails.
pub fn writes(image: &Path) -> Result<()> {
    let copy = fsck::sparse_copy(image)?;
    let mount = Mount::new(&copy, Access::ReadWrite)?;
    let directory = mount.path().join("written-by-the-kernel");
    fs::create_dir(&directory).context("mkdir in the mounted image")?;
    for number in 0..200u32 {
        fs::write(directory.join(number.to_string()), number.to_le_bytes().repeat(2000)).context("write")?;
    }
    fs::hard_link(directory.join("7"), directory.join("seven"))?;
    fs::remove_file(directory.join("8"))?;
    mount.unmount()?;
    fsck::check(&copy)?;

    let mount = Mount::new(&copy, Access::ReadOnly)?;
    let found = fs::read(mount.path().join("written-by-the-kernel/seven"))?;
    mount.unmount()?;
    if found == 7u32.to_le_bytes().repeat(2000) { Ok(()) } else { Err(Failure::new("the kernel lost what it wrote")) }
}
