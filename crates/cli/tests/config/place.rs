//! A root filesystem, and the command that tells how others start it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nex_testkit::tiny_guest::{self, Then};
use nex_testkit::{Result, command, nex};
use serde_json::Value;
use tempfile::TempDir;

/// Where everything of one test is.
pub struct Place {
    directory: TempDir,
    /// The root filesystem. Its name is a trap for shells, and for QEMU, which splits words at commas.
    pub file: PathBuf,
}

impl Place {
    /// A root filesystem of nothing but the agent, with a hash tree.
    pub fn new() -> Result<Self> {
        let directory = nex::directory()?;
        let file = directory.path().join("it's a root,readonly=on.ext4");
        command::run(nex::rootfs("scratch", &file)?.args(["--size", "auto", "--verity"]))?;
        Ok(Self { directory, file })
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A kernel that writes its command line, and resets the machine.
    pub fn tiny_kernel(&self) -> Result<PathBuf> {
        let path = self.path("tiny");
        fs::write(&path, tiny_guest::vmlinux("Linux version 6.1.0 (not really)\n", Then::Reset))?;
        Ok(path)
    }

    /// The command for a guest with this kernel.
    pub fn config(&self, kernel: &Path) -> Result<Command> {
        let mut command = self.config_without_kernel(&self.file)?;
        command.arg("--kernel").arg(kernel);
        Ok(command)
    }

    /// The same for another file, with no kernel named. It is called with a relative name.
    pub fn config_without_kernel(&self, file: &Path) -> Result<Command> {
        let mut command = Command::new(nex::program());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("XDG_DATA_HOME", self.path("data")).env("XDG_CACHE_HOME", self.path("cache"));
        command.current_dir(self.directory.path()).args(["rootfs", "config"]);
        command.arg(file.strip_prefix(self.directory.path()).unwrap_or(file)).arg("--agent").arg(nex::agent()?);
        Ok(command)
    }
}

/// What a command has printed that has done what it was asked for.
pub fn done(command: &mut Command) -> Result<Output> {
    let output = command::output(command)?;
    assert_eq!(output.status.code(), Some(0), "{}", warned(&output));
    Ok(output)
}

/// The configuration that a command prints.
pub fn json(command: &mut Command) -> Result<Value> {
    Ok(serde_json::from_slice(&done(command)?.stdout)?)
}

/// What it says on standard error.
pub fn warned(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
