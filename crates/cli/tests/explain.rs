//! `nex rootfs explain`: what a recorded console and the image of the guest tell together.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nex_testkit::layer::{self, Entry};
use nex_testkit::{Result, command, nex};
use serde_json::Value;
use tempfile::TempDir;

/// A kernel's console whose init could not be started.
fn console(init: &str, error: i32) -> String {
    format!(
        "[    0.000000] Linux version 6.1.0 (nobody@nowhere)\r\n\
         [    0.000000] BIOS-provided physical RAM map:\r\n\
         [    0.000000] Kernel command line: console=ttyS0 root=/dev/vda rw init={init}\r\n\
         [    1.701010] VFS: Mounted root (ext4 filesystem) on device 254:0.\r\n\
         [    1.817884] Run {init} as init process\r\n\
         [    1.895166] Kernel panic - not syncing: Requested init {init} failed (error {error}).\r\n"
    )
}

/// A program's first bytes, for this machine of ELF's list.
fn program(machine: u16) -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    header[16..18].copy_from_slice(&2_u16.to_le_bytes());
    header[18..20].copy_from_slice(&machine.to_le_bytes());
    header[20..24].copy_from_slice(&1_u32.to_le_bytes());
    header[52..54].copy_from_slice(&64_u16.to_le_bytes());
    header[54..56].copy_from_slice(&56_u16.to_le_bytes());
    header
}

struct Place {
    directory: TempDir,
}

impl Place {
    /// An image with inits that cannot be started, each for another reason.
    fn new() -> Result<Self> {
        const AMD64: u16 = 62;
        const ARM64: u16 = 183;
        let place = Self { directory: tempfile::tempdir()? };
        let layer = layer::tar(&[
            Entry::file("sbin/for-bash", "#!/bin/bash\n").mode(0o755),
            Entry::file("sbin/for-arm", program(ARM64)).mode(0o755),
            Entry::file("sbin/text", "echo hello\n").mode(0o755),
            Entry::file("sbin/private", program(AMD64)).mode(0o644),
            Entry::directory("sbin/directory"),
        ])?;
        let tar = place.path("image.tar");
        fs::write(&tar, layer)?;
        let agent = place.path("agent");
        fs::write(&agent, program(AMD64))?;
        let mut build = Command::new(nex::program());
        build
            .env_clear()
            .args(["rootfs", "--quiet", "--size", "auto", "--platform", "linux/amd64", "--agent"])
            .arg(agent);
        command::run(build.arg("--image").arg(format!("tar:{}", tar.display())).arg("-o").arg(place.image()))?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn image(&self) -> PathBuf {
        self.path("rootfs.ext4")
    }

    fn explain(&self, console: &str) -> Result<Output> {
        explain(console, &["--image".as_ref(), self.image().as_ref()])
    }

    /// The report has these words.
    fn says(&self, console: &str, words: &[&str]) -> Result<()> {
        has(&self.explain(console)?, words);
        Ok(())
    }
}

/// Hands the console over on standard input.
fn explain(console: &str, arguments: &[&Path]) -> Result<Output> {
    let mut explain = Command::new(nex::program());
    explain.env_clear().args(["rootfs", "explain", "-"]).args(arguments);
    let mut child = explain.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().into_iter().try_for_each(|mut input| input.write_all(console.as_bytes()))?;
    Ok(child.wait_with_output()?)
}

fn has(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
}

#[test]
fn the_image_tells_what_the_kernel_cannot() -> Result<()> {
    const NOT_FOUND: i32 = -2;
    const FORMAT: i32 = -8;
    const PERMISSION: i32 = -13;
    let place = Place::new()?;
    place.says(
        &console("/sbin/nothing", NOT_FOUND),
        &["no /sbin/nothing (init-missing)", "init=/usr/local/bin/agent"],
    )?;
    place.says(
        &console("/sbin/for-bash", NOT_FOUND),
        &["/sbin/for-bash is there", "it needs /bin/bash (init-interpreter-missing)"],
    )?;
    place.says(
        &console("/sbin/for-arm", FORMAT),
        &["it is a program for arm64, and the kernel for amd64 (init-wrong-format)", "--platform"],
    )?;
    place.says(&console("/sbin/text", FORMAT), &["a text without '#!'"])?;
    place.says(&console("/sbin/private", PERMISSION), &["its mode is 0644", "(init-not-executable)", "chmod 755"])?;
    place.says(&console("/sbin/directory", PERMISSION), &["it is a directory"])
}

#[test]
fn without_the_image_both_meanings_are_told() -> Result<()> {
    let both = "/sbin/for-bash is not in the root filesystem, or the interpreter or loader that it names is not \
                (init-missing)";
    has(&explain(&console("/sbin/for-bash", -2), &[])?, &[both, "line 6", "--image FILE"]);
    Ok(())
}

#[test]
fn an_agent_that_was_never_heard_is_looked_for_in_the_image() -> Result<()> {
    let place = Place::new()?;
    let up = "[    0.000000] Linux version 6.1.0 (x@y)\n[    0.000000] Booting Linux on physical CPU 0x0000000000\n\
              [    4.0] systemd[1]: Detected architecture arm64.\nsystemd[1]: hello\nvm login: ";
    place.says(
        up,
        &[
            "come up to its login prompt",
            "/usr/local/bin/agent does not run here",
            "for amd64, and the kernel for arm64",
        ],
    )
}

#[test]
fn programs_get_one_object() -> Result<()> {
    let output = explain(&console("/sbin/x", -2), &["--format".as_ref(), "json".as_ref()])?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(report["schemaVersion"], 1);
    assert_eq!(report["ready"], false);
    assert_eq!(report["cause"]["id"], "init-missing");
    assert_eq!(report["cause"]["severity"], "error");
    assert_eq!(report["cause"]["line"]["number"], 6);
    assert_eq!(report["kernel"], "6.1.0");
    Ok(())
}

#[test]
fn a_console_cannot_steer_the_terminal() -> Result<()> {
    let console = "[    0.1] x\n[    0.100000] Kernel panic - not syncing: \x1b[31mred\x1b]0;title\x07\u{9b}31m\x08\n";
    let output = explain(console, &[])?;
    has(&output, &["red"]);
    let unsafe_bytes =
        String::from_utf8_lossy(&output.stdout).chars().any(|letter| letter.is_control() && letter != '\n');
    assert!(!unsafe_bytes, "{output:?}");
    Ok(())
}

#[test]
fn a_damaged_image_and_a_missing_log_are_told() -> Result<()> {
    let place = Place::new()?;
    fs::write(place.path("no-image"), b"nothing")?;
    let damaged = explain(&console("/sbin/x", -2), &["--image".as_ref(), place.path("no-image").as_ref()])?;
    has(&damaged, &["init-missing", "image       could not be looked at"]);
    let missing = Command::new(nex::program()).env_clear().args(["rootfs", "explain", "/nowhere/log"]).output()?;
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read the log /nowhere/log"), "{missing:?}");
    Ok(())
}

/// What no guest writes is refused by what it is, wherever it comes from.
#[test]
fn what_is_plainly_no_log_is_refused() -> Result<()> {
    let place = Place::new()?;
    let large = place.path("large");
    fs::write(&large, program(62))?;
    fs::File::options().write(true).open(&large)?.set_len(300 << 20)?;
    let packed = place.path("console.log.gz");
    fs::write(&packed, [0x1f, 0x8b, 8, 0])?;
    for (file, words) in [
        (&place.image(), ["it is an ext4 file system", "explain LOG --rootfs FILE"]),
        (&place.path("agent"), ["it is an ELF file", "what the guest has written on its console"]),
        (&large, ["it is an ELF file", "what the guest has written on its console"]),
        (&packed, ["compressed with gzip", "gzip -dc LOG | nex rootfs explain -"]),
    ] {
        let mut explain = Command::new(nex::program());
        nex::failed(&command::output(explain.args(["rootfs", "explain"]).arg(file))?, &words)?;
        let mut explain = Command::new(nex::program());
        let piped = explain.args(["rootfs", "explain", "-"]).stdin(fs::File::open(file)?);
        nex::failed(&command::output(piped)?, &[&words[..], &["standard input is no log"]].concat())?;
    }
    // What begins as JSON or a script does may be a kernel's or an init's words. Nothing at all says something, too.
    for (console, words) in [
        ("[    0.000000] Linux version 6.1.0\n", "cause"),
        ("#!/bin/sh\n", "cause"),
        ("{}\n", "cause"),
        ("", "console-silent"),
    ] {
        has(&explain(console, &[])?, &[words]);
    }
    Ok(())
}
