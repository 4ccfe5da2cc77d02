//! A root filesystem, a kernel, and the command that boots one with the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::guest::Parts;
use crate::{Result, command, corpus, nex};

/// Where everything of one test is.
pub struct Place {
    /// The directory, open to every user.
    pub directory: TempDir,
    /// What the guest is made of.
    pub parts: Parts,
}

impl Place {
    /// A root filesystem of nothing but the agent. `None` where there is no kernel to boot it.
    pub fn scratch() -> Result<Option<Self>> {
        Self::new(|_| Ok(Some("scratch".into())))
    }

    /// Alpine, where it is there.
    pub fn alpine() -> Result<Option<Self>> {
        Self::new(|directory| {
            let Some(tar) = corpus::alpine("x86_64")? else { return Ok(None) };
            let path = directory.join("alpine.tar");
            fs::write(&path, tar)?;
            Ok(Some(format!("tar:{}", path.display())))
        })
    }

    fn new(image: impl FnOnce(&Path) -> Result<Option<String>>) -> Result<Option<Self>> {
        let Some(parts) = Parts::find()? else { return Ok(None) };
        let directory = nex::directory()?;
        let Some(image) = image(directory.path())? else { return Ok(None) };
        let place = Self { directory, parts };
        nex::build(&image, &place.file())?;
        fs::create_dir(place.path("tmp"))?;
        Ok(Some(place))
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The root filesystem.
    pub fn file(&self) -> PathBuf {
        self.path("rootfs.ext4")
    }

    /// The command, with temporary files in a directory of the test's own. Emulated unless it is told otherwise: what KVM does
    /// here is the matter of one test.
    pub fn boot(&self) -> Result<Command> {
        let mut command = self.boot_with(&self.parts.kernel)?;
        command.args(["--accel", "emulation"]);
        Ok(command)
    }

    /// The same with another kernel, and by whatever is there.
    pub fn boot_with(&self, kernel: &Path) -> Result<Command> {
        let mut command = Command::new(nex::program());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TMPDIR", self.path("tmp")).env("XDG_CACHE_HOME", self.path("cache"));
        command.args(["rootfs", "boot"]).arg(self.file()).arg("--kernel").arg(kernel);
        command.arg("--agent").arg(nex::agent()?);
        Ok(command)
    }

    /// Nothing is left in the directory for temporary files.
    pub fn is_clean(&self) -> Result<bool> {
        Ok(nex::names(&self.path("tmp"))?.is_empty())
    }
}

/// The report of a boot whose agent reported.
pub fn report(command: &mut Command) -> Result<Value> {
    let printed = command::run(command.args(["--format", "json"]))?;
    Ok(serde_json::from_slice(&printed)?)
}

/// What it wrote to its standard error.
pub fn console(result: &Output) -> String {
    String::from_utf8_lossy(&result.stderr).into_owned()
}
