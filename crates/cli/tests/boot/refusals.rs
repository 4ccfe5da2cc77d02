//! What cannot be booted is refused before a guest starts, in words that say what to do; and a guest that does not report
//! is explained.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nex_testkit::nex::boot::{Place, console};
use nex_testkit::nex::{self, failed};
use nex_testkit::{Result, command};
use serde_json::Value;

#[test]
fn what_is_no_kernel_or_no_root_is_refused() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let refused = |command: &mut Command, words: &[&str]| failed(&command::output(command)?, words);
    let with = |name: &str, content: &[u8]| -> Result<Command> {
        fs::write(place.path(name), content)?;
        place.boot_with(&place.path(name))
    };
    refused(&mut place.boot_with(&place.path("none"))?, &["cannot read the kernel", "/none': No such file"])?;
    refused(&mut with("text", b"#!/bin/sh\n")?, &["cannot boot ", "/text': the file is no Linux kernel"])?;
    let mut image = vec![0; 4096];
    image[0x38..0x3c].copy_from_slice(b"ARM\x64");
    refused(
        with("Image", &image)?.env("PATH", place.directory.path()),
        &["no qemu-system-aarch64 on the PATH", "apt-get install qemu-system-arm"],
    )?;
    let mut elf = vec![0; 4096];
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    elf[18] = 62;
    refused(&mut with("vmlinux", &elf)?, &["it has no PVH entry", "take the bzImage"])?;
    refused(
        place.boot()?.env("PATH", place.directory.path()),
        &["no qemu-system-x86_64 on the PATH", "qemu-system-x86"],
    )?;
    refused(place.boot()?.args(["--initrd", "/nonexistent"]), &["cannot read '/nonexistent'"])?;
    refused(place.boot()?.args(["--modules", "/nonexistent"]), &["cannot read '/nonexistent'"])?;
    refused(place.boot()?.arg("--modules").arg(place.path("tmp")), &["no kernel modules (*.ko)", "lib/modules/"])?;

    let mut no_agent = Command::new(nex::program());
    no_agent.args(["rootfs", "boot"]).arg(place.file()).arg("--kernel").arg(&place.parts.kernel).arg("--agent");
    refused(no_agent.arg("/bin/sh-none"), &["cannot read '/bin/sh-none'"])?;
    let foreign = nex::agent_for_aarch64(place.directory.path())?;
    let mut foreign_agent = Command::new(nex::program());
    foreign_agent.args(["rootfs", "boot"]).arg(place.file()).arg("--kernel").arg(&place.parts.kernel);
    refused(foreign_agent.arg("--agent").arg(foreign), &["is for arm64, and the kernel is for amd64"])?;

    // A file system that no kernel mounts, and what comes of it when nobody minds.
    let whole = fs::read(place.file())?;
    fs::write(place.file(), &whole[..whole.len() / 2])?;
    let words = ["does not come up with", "(ext4-cut-off)", "--no-check tries it all the same"];
    refused(&mut place.boot()?, &words)?;
    let mut all_the_same = place.boot()?;
    let described = command::run(all_the_same.args(["--no-check", "--print-vm-config"]))?;
    assert!(!described.is_empty());
    fs::write(place.file(), &whole)?;

    for (content, words) in [
        (&b"\x1f\x8b\x08"[..], "compressed with gzip; unpack it first: gunzip FILE"),
        (b"\x28\xb5\x2f\xfd", "unpack it first: unzstd FILE"),
        (b"QFI\xfb", "qemu-img convert"),
        (b"", "it has no ext4 superblock"),
    ] {
        fs::write(place.file(), content)?;
        refused(&mut place.boot()?, &["is no root filesystem that a guest can have", words])?;
    }
    fs::remove_file(place.file())?;
    refused(&mut place.boot()?, &["cannot read ", "No such file"])?;
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn nobody_waits_for_what_is_no_regular_file() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let fifo = place.path("fifo");
    command::run(Command::new("mkfifo").arg(&fifo))?;
    let refused = |boot: &mut Command, words: &[&str]| {
        // Who waited for a writer would take no notice of SIGTERM.
        let mut timeout = Command::new("timeout");
        timeout.args(["--signal", "KILL", "20"]).arg(boot.get_program()).args(boot.get_args());
        timeout.envs(boot.get_envs().filter_map(|(name, value)| Some((name, value?))));
        failed(&command::output(&mut timeout)?, words)
    };
    let words = ["/fifo': it is a FIFO, but must be a regular file"];
    refused(&mut place.boot_with(&fifo)?, &["cannot read the kernel '", words[0]])?;
    refused(&mut place.boot_with(Path::new("/dev/zero"))?, &["'/dev/zero': it is a device"])?;
    refused(place.boot()?.arg("--initrd").arg(&fifo), &words)?;
    refused(place.boot()?.arg("--overlay-drive").arg(&fifo), &["cannot use the drive '", words[0]])?;
    let mut with_agent = Command::new(nex::program());
    with_agent.args(["rootfs", "boot"]).arg(place.file()).arg("--kernel").arg(&place.parts.kernel);
    refused(with_agent.arg("--agent").arg(&fifo), &words)?;
    fs::rename(&fifo, place.file())?;
    refused(&mut place.boot()?, &["/rootfs.ext4': it is a FIFO"])?;
    let log = place.path("log");
    fs::write(&log, b"")?;
    refused(
        Command::new(nex::program()).args(["rootfs", "explain"]).arg(&log).arg("--image").arg(place.file()),
        &["cannot read the root filesystem ", "it is a FIFO"],
    )?;
    Ok(())
}

#[test]
fn a_kernel_that_is_cut_off_is_refused() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let whole = fs::read(&place.parts.kernel)?;
    fs::write(place.path("cut"), &whole[..whole.len() / 2])?;
    failed(
        &command::output(&mut place.boot_with(&place.path("cut"))?)?,
        &[
            "cannot boot the kernel '",
            "/cut': the kernel's file is damaged: it ends before the end of its payload",
            "copy or download it again",
        ],
    )
}

#[test]
fn a_directory_for_temporary_files_that_is_none_is_named() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    failed(
        &command::output(place.boot()?.env("TMPDIR", "/nonexistent").arg("--quiet"))?,
        &["cannot make a temporary file in '/nonexistent'", "choose another directory with TMPDIR"],
    )
}

#[test]
fn a_command_line_that_no_kernel_takes_is_refused() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let result = command::output(place.boot()?.args(["--append", &"x".repeat(3000)]))?;
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    assert_eq!(result.status.code(), Some(1), "{said}");
    assert!(said.contains("kernels take 2047; shorten what --append gives"), "{said}");
    Ok(())
}

#[test]
fn wrong_arguments_are_usage() -> Result<()> {
    let usage = |arguments: &[&str]| -> Result<Option<i32>> {
        let mut nex = Command::new(nex::program());
        Ok(command::output(nex.env_clear().args(["rootfs", "boot"]).args(arguments))?.status.code())
    };
    assert_eq!(usage(&[])?, Some(2));
    for flag in [
        &["--memory", "1MiB"][..],
        &["--vcpus", "0"],
        &["--timeout", "0"],
        &["--timeout", "18446744073709551615"],
        &["--accel", "xen"],
        &["-i", "-q"],
    ] {
        assert_eq!(usage(&[&["file", "--kernel", "k"], flag].concat())?, Some(2), "{flag:?}");
    }
    Ok(())
}

#[test]
fn a_guest_that_panics_is_explained() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let result = command::output(place.boot()?.args(["--append", "init=/no/such/init"]))?;
    let said = String::from_utf8_lossy(&result.stdout).into_owned();
    assert_eq!(result.status.code(), Some(1));
    assert!(said.contains("ready       no: the guest ended before\n"), "{said}");
    assert!(said.contains(" taken by the VMM at most"), "{said}");
    let shown = console(&result);
    assert!(shown.contains("cause ") && shown.contains("/no/such/init"), "{shown}");
    assert!(shown.contains("\nerror: the agent of "), "{shown}");
    Ok(())
}

#[test]
fn a_guest_whose_agent_is_silent_is_ended_in_time_and_explained() -> Result<()> {
    let Some(place) = Place::alpine()? else { return Ok(()) };
    let start = Instant::now();
    let mut boot = place.boot()?;
    boot.args(["--append", "init=/bin/sh", "--timeout", "8", "--format", "json", "--quiet"]);
    let result = command::output(&mut boot)?;
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(result.status.code(), Some(1));
    // One object: the report.
    let report: Value = serde_json::from_slice(&result.stdout)?;
    assert_eq!(report["ready"], false);
    assert_eq!(report["outcome"], "timeout");
    assert_eq!(report["end"], "killed");
    assert!(report["explanation"]["cause"]["id"].is_string(), "{report}");
    assert!(console(&result).starts_with("error: the agent of "), "{}", console(&result));
    Ok(())
}
