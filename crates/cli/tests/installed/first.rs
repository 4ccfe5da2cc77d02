//! What `make rootfs` makes, by what the machine has: `scripts/first-rootfs` with a PATH of the test's own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nex_testkit::guest::Parts;
use nex_testkit::{Failure, Result, command, corpus, nex, places};
use tempfile::TempDir;

use crate::recipe;

/// What the script cannot do without.
const TOOLS: &[&str] = &[
    "bash",
    "cat",
    "chmod",
    "cp",
    "cut",
    "dirname",
    "env",
    "find",
    "grep",
    "head",
    "ldd",
    "ln",
    "mkdir",
    "mktemp",
    "mv",
    "realpath",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "tail",
    "tar",
    "timeout",
    "uname",
];

/// A machine with little on it.
struct Machine(TempDir);

impl Machine {
    fn new() -> Result<Self> {
        let machine = Self(nex::directory()?);
        for name in ["bin", "home", "work"] {
            fs::create_dir(machine.path(name))?;
        }
        TOOLS.iter().try_for_each(|tool| machine.add(tool))?;
        // Beside its agent, as make build leaves it.
        fs::create_dir_all(machine.path("target/release"))?;
        fs::hard_link(nex::program(), machine.path("target/release/nex"))
            .or_else(|_| fs::copy(nex::program(), machine.path("target/release/nex")).map(drop))?;
        fs::copy(nex::agent()?, machine.path("target/release/nex-agent"))?;
        Ok(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Gives the machine a program of this one.
    fn add(&self, tool: &str) -> Result<()> {
        let found = command::run(Command::new("sh").args(["-c", "command -v \"$0\"", tool]))?;
        symlink(String::from_utf8_lossy(&found).trim(), self.path("bin").join(tool))?;
        Ok(())
    }

    /// Gives the machine a program that is this script, in the place of any other.
    fn add_script(&self, name: &str, script: &str) -> Result<()> {
        let path = self.path("bin").join(name);
        // It may lead to a program of this machine.
        if path.symlink_metadata().is_ok() {
            fs::remove_file(&path)?;
        }
        fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?)
    }

    /// A command in the directory of the user, with nothing but what the machine has.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.path("work")).env("PATH", self.path("bin"));
        command.env("HOME", self.path("home")).env("CARGO_TARGET_DIR", self.path("target"));
        command
    }

    fn script(&self) -> Command {
        let mut script = self.command(places::workspace().join("scripts/first-rootfs"));
        script.arg(self.path("target/release/nex"));
        script
    }

    /// Makes a first root filesystem, and does what is said to be tried next.
    fn make(&self, script: &mut Command) -> Result<String> {
        let said = text(&command::output(script)?)?;
        let next: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert_eq!(next.len(), 3, "{said}");
        for line in next {
            let mut shell = self.command("/bin/sh");
            shell.envs(script.get_envs().filter_map(|(name, value)| Some((name, value?))));
            command::run(shell.args(["-c", line]))?;
        }
        Ok(said)
    }

    /// Puts Alpine's minirootfs where the script keeps it.
    fn keep_minirootfs(&self, directory: &str) -> Result<Option<()>> {
        let Some(files) = corpus::alpine_files() else { return Ok(None) };
        let kept = self.path(directory);
        fs::create_dir_all(&kept)?;
        for name in nex::names(&files)?.iter().filter(|name| name.ends_with(".tar.gz")) {
            fs::copy(files.join(name), kept.join(name))?;
        }
        Ok(Some(()))
    }
}

fn text(output: &Output) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(Failure::new(format!("{}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr))))
}

/// Each line is one of these, in this order.
fn says(said: &str, lines: &[&str]) {
    let mut left = said.lines();
    for line in lines {
        assert!(left.any(|found| found.starts_with(&format!("make rootfs: {line}"))), "{line:?}: {said}");
    }
}

const NOT_INSTALLED: &str = "not made of nex:default (Alpine): there is no image nex:default in ";
const NOT_BOOTED: &str = "not booted: ";

#[test]
fn nex_default_is_taken_where_it_is_installed() -> Result<()> {
    let Some((_place, archive)) = recipe::made()? else { return Ok(()) };
    let machine = Machine::new()?;
    let images = machine.path("target/share/nex/images");
    fs::create_dir_all(&images)?;
    fs::copy(&archive, images.join("default.oci.tar"))?;
    let said = machine.make(&mut machine.script())?;
    says(&said, &["rootfs.ext4 holds nex:default (Alpine)", "checked: 0 errors", NOT_BOOTED]);
    assert!(!said.contains("not made"), "{said}");
    Ok(())
}

#[test]
fn else_alpine_is_taken_from_the_cache_or_fetched_to_where_that_can_be_written() -> Result<()> {
    let machine = Machine::new()?;
    let Some(()) = machine.keep_minirootfs("home/.cache/nex/minirootfs")? else { return Ok(()) };
    says(&machine.make(&mut machine.script())?, &[NOT_INSTALLED, "rootfs.ext4 holds Alpine", NOT_BOOTED]);

    // What stands for a download brings the file that is asked for, and is needed once.
    machine.keep_minirootfs("site")?;
    let site = machine.path("site").display().to_string();
    machine.add_script("curl", &format!("for last; do :; done; shift $(($# - 2)); cp {site}/${{last##*/}} \"$1\""))?;
    for _ in 0..2 {
        let mut script = machine.script();
        script.env("XDG_CACHE_HOME", "/proc/nowhere").env("NEX_CACHE_DIR", machine.path("cache"));
        says(&machine.make(&mut script)?, &[NOT_INSTALLED, "rootfs.ext4 holds Alpine", NOT_BOOTED]);
        machine.add_script("curl", "exit 1")?;
    }
    // A file other than Alpine's is refused.
    fs::remove_dir_all(machine.path("home/.cache"))?;
    machine.add_script("curl", "for last; do :; done; shift $(($# - 2)); echo no >\"$1\"")?;
    let said = machine.make(&mut machine.script())?;
    says(&said, &["not made of Alpine: https://dl-cdn.alpinelinux.org/", "rootfs.ext4 holds nothing but nex's agent"]);
    Ok(())
}

#[test]
fn else_busybox_of_the_system_or_of_a_package() -> Result<()> {
    let machine = Machine::new()?;
    machine.add_script("curl", "echo 'curl: (6) no such host' >&2; exit 6")?;
    machine.add("busybox")?;
    let lines =
        [NOT_INSTALLED, "not made of Alpine: cannot download", "rootfs.ext4 holds busybox", "checked: 0 errors"];
    let said = machine.make(&mut machine.script())?;
    says(&said, &lines);
    assert!(said.contains("no such host"), "{said}");

    // As a package that apt brings; it stays, so that the next time needs no apt.
    fs::remove_file(machine.path("bin/busybox"))?;
    let root = machine.path("package");
    fs::create_dir_all(root.join("DEBIAN"))?;
    for directory in ["bin", "usr/share/bug"] {
        fs::create_dir_all(root.join(directory))?;
    }
    // Packages have other files of that name.
    fs::write(root.join("usr/share/bug/busybox"), "")?;
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let control = format!(
        "Package: busybox-static\nVersion: 1\nArchitecture: {architecture}\nMaintainer: nobody <nobody@nowhere.invalid>\nDescription: none\n"
    );
    fs::write(root.join("DEBIAN/control"), control)?;
    fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    let package = machine.path(&format!("busybox-static_1_{architecture}.deb"));
    command::run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(&root).arg(&package))?;
    for tool in ["dpkg-deb", "gzip", "xz", "zstd"] {
        machine.add(tool)?;
    }
    machine.add_script("apt-get", &format!("cp {} .", package.display()))?;
    for _ in 0..2 {
        says(&machine.make(&mut machine.script())?, &lines);
        machine.add_script("apt-get", "exit 100")?;
    }
    // A download that was cut short is fetched again.
    let kept = machine.path("target/first-rootfs").join(package.file_name().unwrap_or_default());
    fs::write(&kept, &fs::read(&package)?[..100])?;
    machine.add_script("apt-get", &format!("cp {} .", package.display()))?;
    says(&machine.make(&mut machine.script())?, &lines);
    assert!(fs::read(&kept)? == fs::read(&package)?, "the damaged package stays");
    Ok(())
}

#[test]
fn else_the_agent_alone_and_a_line_for_each_that_is_missing() -> Result<()> {
    let machine = Machine::new()?;
    let said = machine.make(&mut machine.script())?;
    let alpine = "not made of Alpine: there is neither curl nor wget";
    let busybox = "not made of busybox: no static busybox is installed, and there is no dpkg-deb";
    says(&said, &[NOT_INSTALLED, alpine, busybox, "rootfs.ext4 holds nothing but nex's agent", NOT_BOOTED]);
    assert!(said.lines().count() < 12, "{said}");
    Ok(())
}

#[test]
fn a_directory_that_cannot_be_written_is_said_once() -> Result<()> {
    let machine = Machine::new()?;
    let output = command::output(machine.script().arg("/proc/rootfs.ext4"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said == "make rootfs: cannot write to /proc\n", "{said}");
    Ok(())
}

#[test]
#[ignore = "slow: boots guests"]
fn it_boots_where_a_vmm_and_a_kernel_are_there() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let machine = Machine::new()?;
    let Some(()) = machine.keep_minirootfs("home/.cache/nex/minirootfs")? else { return Ok(()) };
    let with_kernel = |machine: &Machine, kernel: &Path| {
        let mut script = machine.script();
        script.env("NEX_KERNEL", kernel).env("NEX_ACCEL", "emulation").env("NEX_ROOTFS_BOOT_TIMEOUT", "300s");
        script
    };
    // A kernel alone is not enough. Of this one nobody knows the configuration, so that a check ends with 3.
    let said = text(&command::output(&mut with_kernel(&machine, &parts.kernel))?)?;
    says(&said, &["rootfs.ext4 holds Alpine", "checked: 0 errors", NOT_BOOTED]);
    machine.add("qemu-system-x86_64")?;
    let said = machine.make(&mut with_kernel(&machine, &parts.kernel))?;
    says(&said, &["rootfs.ext4 holds Alpine", "checked:", "booted: its agent was ready after "]);
    assert!(said.contains(" run --rootfs rootfs.ext4 "), "{said}");

    // A VMM that is there and starts no guest is an error.
    machine.add_script("qemu-system-x86_64", "echo no such machine >&2; exit 1")?;
    let failed = command::output(&mut with_kernel(&machine, &parts.kernel))?;
    let said = String::from_utf8_lossy(&failed.stdout).into_owned();
    assert!(!failed.status.success() && said.contains("not booted, though"), "{said}");
    Ok(())
}
