//! Images with faults, and boots of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use nex_testkit::layer::{self, Entry};
use nex_testkit::{Failure, Result, command, elf, nex, places};
use tempfile::TempDir;

/// An agent of nex's own, as far as its mark says, of one instruction, which no processor has (`ud2`).
pub fn crashes() -> Vec<u8> {
    elf::program(elf::X86_64, &[0x0f, 0x0b], &elf::mark(1))
}

/// Such an agent for another machine.
pub fn for_arm64() -> Vec<u8> {
    elf::program(elf::AARCH64, &[0; 4], &elf::mark(1))
}

/// A directory with an image in it.
pub struct World {
    directory: TempDir,
}

impl World {
    /// A copy of the image with busybox and the inits that do not start; `None`, with a line that says so, where there
    /// is no kernel for a guest.
    pub fn new() -> Result<Option<Self>> {
        static IMAGE: OnceLock<std::result::Result<TempDir, String>> = OnceLock::new();
        if let Ok(reason) = fs::read_to_string(guest("left-out")) {
            eprintln!("LEFT OUT: what runs in a guest: {}", reason.trim());
            return Ok(None);
        }
        let made = IMAGE.get_or_init(|| image().map_err(|failure| failure.to_string()));
        let made = made.as_ref().map_err(|text| Failure::new(text.clone()))?;
        let world = Self { directory: tempfile::tempdir()? };
        // Most of it is holes.
        command::run(
            Command::new("cp").arg("--sparse=always").arg(made.path().join("rootfs.ext4")).arg(world.image()),
        )?;
        Ok(Some(world))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn image(&self) -> PathBuf {
        self.path("rootfs.ext4")
    }

    /// Changes the image behind its back.
    pub fn debugfs(&self, request: &str) -> Result<String> {
        let answer = command::run(Command::new("debugfs").args(["-w", "-R", request]).arg(self.image()))?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// `nex rootfs boot` without an initramfs.
    pub fn boot(&self, words: &str) -> Command {
        let mut boot = boot(&self.image());
        boot.args(["--bus", "nvme", "--append", words]);
        boot
    }

    /// The boot fails, and the report on it has all of `words`.
    pub fn fails(&self, append: &str, words: &[&str]) -> Result<()> {
        fails(&mut self.boot(append), words)
    }
}

/// `nex rootfs boot` of an image, without the console.
pub fn boot(image: &Path) -> Command {
    let mut boot = Command::new(nex::program());
    boot.args(["rootfs", "boot", "--quiet", "--accel", "emulation"]);
    boot.envs([("NEX_MEMORY", "256MiB"), ("NEX_ROOTFS_BOOT_TIMEOUT", "4m")]);
    boot.arg("--kernel").arg(guest("vmlinuz")).arg(image);
    boot
}

/// The boot fails with exit code 1, and what it says of it has all of `words`.
pub fn fails(boot: &mut Command, words: &[&str]) -> Result<()> {
    let result = command::output(boot)?;
    let text = [&result.stdout[..], &result.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(result.status.code(), Some(1), "{boot:?}\n{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} from {boot:?}:\n{text}");
    }
    Ok(())
}

/// `nex rootfs explain` of a console in a file.
pub fn explain(console: &Path, arguments: &[&str]) -> Result<Output> {
    command::output(Command::new(nex::program()).args(["rootfs", "explain"]).arg(console).args(arguments))
}

/// A part of what `scripts/setup-tests` has unpacked for guests.
pub fn guest(name: &str) -> PathBuf {
    places::workspace().join("target/guest").join(name)
}

/// `nex rootfs` of a tar with these entries, and of this agent.
pub fn build(directory: &Path, entries: &[Entry], agent: &[u8]) -> Result<()> {
    let (tar, program) = (directory.join("image.tar"), directory.join("agent"));
    fs::write(&tar, layer::tar(entries)?)?;
    fs::write(&program, agent)?;
    let mut build = Command::new(nex::program());
    build.args(["rootfs", "--quiet", "--platform", "linux/amd64", "--size", "64MiB", "--agent"]).arg(program);
    command::run(build.arg(format!("--image=tar:{}", tar.display())).arg("-o").arg(directory.join("rootfs.ext4")))?;
    Ok(())
}

/// A directory that programs are in, and busybox by some of its names.
pub fn busybox() -> Result<Vec<Entry>> {
    let link = |name: &str| Entry::symlink(format!("bin/{name}"), "busybox");
    let program = Entry::file("bin/busybox", fs::read(guest("busybox"))?).mode(0o755);
    let names = ["sh", "init", "mount", "poweroff", "sleep", "true"];
    Ok([vec![Entry::directory("bin"), program], names.map(link).to_vec()].concat())
}

fn image() -> Result<TempDir> {
    let directory = tempfile::tempdir()?;
    let faults = [
        Entry::file("faults/for-bash", "#!/bin/bash\n").mode(0o755),
        Entry::file("faults/for-arm64", for_arm64()).mode(0o755),
        Entry::file("faults/no-program", "echo hello\n").mode(0o755),
        Entry::file("faults/private", crashes()).mode(0o644),
        Entry::file("faults/crashes", crashes()).mode(0o755),
    ];
    build(directory.path(), &[busybox()?, faults.to_vec()].concat(), &crashes())?;
    Ok(directory)
}
