//! File systems that a test has for itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use nex_testkit::{Result, command};

/// A file system of a test, unmounted in the end.
pub struct Mounted(PathBuf);

impl Mounted {
    pub fn tmpfs(place: &Path, size: &str) -> Result<Self> {
        let options = format!("size={size},mode=700");
        command::run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(place))?;
        Ok(Self(place.into()))
    }

    /// The file system in this file.
    pub fn image(place: &Path, image: &Path) -> Result<Self> {
        command::run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(place))?;
        Ok(Self(place.into()))
    }

    pub fn remount(&self, options: &str) -> Result<()> {
        command::run(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0)).map(drop)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(command::run(Command::new("umount").arg(&self.0)));
    }
}
