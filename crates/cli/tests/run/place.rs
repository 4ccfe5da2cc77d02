//! A root filesystem, a kernel, a program, and the command that runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_testkit::guest::Parts;
use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::{Result, command, nex};
use serde_json::Value;
use tempfile::TempDir;

/// The mode of a program.
const RUNS: u32 = 0o755;

/// Where everything of one test is.
pub struct Place {
    pub directory: TempDir,
    parts: Parts,
}

impl Place {
    /// A root with a busybox, whose image names this program. `None` where there is no kernel to boot it.
    pub fn new(config: Value) -> Result<Option<Self>> {
        Self::with(config, Vec::new(), &[])
    }

    /// The same with more in it, built with these arguments.
    pub fn with(config: Value, more: Vec<Entry>, arguments: &[&str]) -> Result<Option<Self>> {
        let Some(parts) = Parts::find()? else { return Ok(None) };
        let directory = nex::directory()?;
        let place = Self { directory, parts };
        let mut entries = vec![
            Entry::file("bin/busybox", fs::read(&place.parts.busybox)?).mode(RUNS),
            Entry::file("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:77:78::/srv:/bin/sh\n"),
        ];
        let applets = [
            "sh", "awk", "cat", "df", "echo", "env", "id", "kill", "ls", "mkdir", "pwd", "rm", "seq", "sleep", "tail",
            "touch", "true",
        ];
        entries.extend(applets.map(|name| Entry::symlink(format!("bin/{name}"), "busybox")));
        entries.extend(more);
        let layout = place.path("layout");
        Image { config, ..Image::of(&[entries])? }.write(&layout, "image")?;
        command::run(
            nex::rootfs(&format!("oci:{}:image", layout.display()), &place.root())?
                .args(["--size", "64MiB"])
                .args(arguments),
        )?;
        fs::create_dir(place.path("tmp"))?;
        Ok(Some(place))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The root filesystem's file.
    pub fn root(&self) -> PathBuf {
        self.path("root.ext4")
    }

    /// A static program of this machine that is many.
    pub fn busybox(&self) -> PathBuf {
        self.parts.busybox.clone()
    }

    /// The command, with temporary files in a directory of the test's own, and emulated.
    pub fn nex(&self) -> Result<Command> {
        self.nex_with(&self.parts.quickest_kernel())
    }

    /// The same with Debian's kernel, and so with an initramfs.
    pub fn nex_with_initramfs(&self) -> Result<Command> {
        self.nex_with(&self.parts.kernel)
    }

    /// The same with another kernel.
    pub fn nex_with(&self, kernel: &Path) -> Result<Command> {
        let mut command = self.command();
        command.arg("run").arg("--rootfs").arg(self.root());
        self.guest(&mut command, kernel)?;
        Ok(command)
    }

    /// The command in this Firecracker.
    pub fn in_firecracker(&self, program: &Path) -> Result<Command> {
        let mut command = self.command();
        command.env("NEX_FIRECRACKER", program).args(["run", "--vmm", "firecracker", "--memory", "160MiB", "--rootfs"]);
        command.arg(self.root()).arg("--kernel").arg(&self.parts.kernel).arg("--agent").arg(nex::agent()?);
        Ok(command)
    }

    /// The command that boots the root, without its console.
    pub fn boot(&self) -> Result<Command> {
        let mut command = self.command();
        command.args(["rootfs", "boot", "--quiet"]).arg(self.root());
        self.guest(&mut command, &self.parts.quickest_kernel())?;
        Ok(command)
    }

    /// The command that checks the root.
    pub fn check(&self) -> Command {
        let mut command = self.command();
        command.args(["rootfs", "check"]).arg(self.root());
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(nex::program());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TMPDIR", self.path("tmp"));
        command
    }

    fn guest(&self, command: &mut Command, kernel: &Path) -> Result<()> {
        command.args(["--accel", "emulation", "--memory", "160MiB"]).arg("--kernel").arg(kernel);
        command.arg("--agent").arg(nex::agent()?);
        Ok(())
    }

    /// The command with a script for a shell that comes from here.
    pub fn script(&self, flags: &[&str], script: &str) -> Result<Command> {
        let mut command = self.nex()?;
        command.args(flags).arg(self.busybox()).args(["--", "sh", "-c", script]);
        Ok(command)
    }

    /// Nothing is left in the directory for temporary files.
    pub fn is_clean(&self) -> Result<bool> {
        Ok(nex::names(&self.path("tmp"))?.is_empty())
    }
}

/// The report in the last line of standard error.
pub fn report(stderr: &[u8]) -> Result<Value> {
    let text = String::from_utf8_lossy(stderr);
    Ok(serde_json::from_str(text.lines().last().unwrap_or_default())?)
}
