//! Words of others: whatever an image, a registry, a VMM, a console, a cache or an argument says, nex shows it so that no
//! terminal is steered, no line is forged, and no line is endless.

mod guests;
mod images;
mod others;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nex_testkit::layer::{self, Entry};
use nex_testkit::{Result, command, elf, hostile_text, nex};
use tempfile::TempDir;

/// A directory for one test, with something in it that a build takes for an agent.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Result<Self> {
        let place = Self { directory: tempfile::tempdir()? };
        fs::write(place.path("agent"), program())?;
        Ok(place)
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A build of an image.
    fn build(&self, image: impl AsRef<OsStr>) -> Command {
        self.build_to(image, &self.path("out.ext4"))
    }

    /// The same with another output.
    fn build_to(&self, image: impl AsRef<OsStr>, output: &Path) -> Command {
        let mut build = self.nex(&["rootfs", "--size", "auto", "--platform", "linux/amd64", "--agent"]);
        build.arg(self.path("agent")).arg("-o").arg(output).arg("--image").arg(image);
        build
    }

    /// A root filesystem of these entries.
    fn root(&self, entries: &[Entry]) -> Result<PathBuf> {
        fs::write(self.path("root.tar"), layer::tar(entries)?)?;
        command::run(&mut self.build(format!("tar:{}", self.path("root.tar").display())))?;
        Ok(self.path("out.ext4"))
    }

    /// `nex` with an empty environment, and a cache of its own.
    fn nex(&self, arguments: &[&str]) -> Command {
        let mut nex = Command::new(nex::program());
        nex.env_clear().env("NEX_CACHE_DIR", self.path("cache")).args(arguments);
        nex
    }
}

/// A program for amd64 that a boot takes for nex's own agent.
fn program() -> Vec<u8> {
    elf::program(elf::X86_64, &[0x0f, 0x0b], &elf::mark(1))
}

/// Runs nex for people and for programs, and looks at all that it writes.
///
/// Somewhere in it are these words, so that it is known to be about the text.
fn shows(what: &str, command: &mut Command, words: &str) -> Result<Output> {
    let output = harmless(what, command)?;
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains(words), "{what}: no {words:?} in {said}");
    let json = harmless(what, command.env("NEX_FORMAT", "json"))?;
    command.env_remove("NEX_FORMAT");
    for line in [&json.stdout, &json.stderr].into_iter().flat_map(|bytes| bytes.split(|byte| *byte == b'\n')) {
        if line.starts_with(b"{") {
            serde_json::from_slice::<serde_json::Value>(line)?;
        }
    }
    Ok(output)
}

fn harmless(what: &str, command: &mut Command) -> Result<Output> {
    let output = command::output(command)?;
    hostile_text::is_harmless(&output).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    Ok(output)
}
