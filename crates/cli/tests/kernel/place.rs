//! A user's data directory, and the command that works on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nex_testkit::made_kernel::{Entry, vmlinux};
use nex_testkit::{Result, command, elf, nex};
use serde_json::Value;
use tempfile::TempDir;

/// Where everything of one test is.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Result<Self> {
        Ok(Self(nex::directory()?))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Where installed kernels are.
    pub fn store(&self) -> PathBuf {
        self.path("data/nex/kernels")
    }

    /// `nex kernel ...`.
    pub fn kernel(&self, arguments: &[&str]) -> Command {
        let mut nex = Command::new(nex::program());
        nex.env_clear().env("XDG_DATA_HOME", self.path("data")).arg("kernel").args(arguments);
        nex
    }

    /// The same about a file.
    pub fn about(&self, arguments: &[&str], file: &Path) -> Result<Output> {
        command::output(self.kernel(arguments).arg(file))
    }

    /// Writes a vmlinux for x86-64 into a file of the place.
    pub fn vmlinux(&self, name: &str, release: &str, config: Option<&str>, entry: Entry) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, vmlinux(elf::X86_64, release, config, entry)?)?;
        Ok(path)
    }
}

pub fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A report in JSON, with this exit code.
pub fn report(result: &Output, code: i32) -> Result<Value> {
    assert_eq!(result.status.code(), Some(code), "{}", said(&result.stderr));
    Ok(serde_json::from_slice(&result.stdout)?)
}
