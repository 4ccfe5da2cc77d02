//! The console tells nothing, or goes elsewhere.

use std::process::Command;
use std::time::Duration;

use nex_testkit::{Result, command};

use crate::world::{World, explain, fails, guest};

/// How long a guest may take that says nothing.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs QEMU with a drive of ours and the whole command line, until the guest ends or the time is up. The console is in
/// the file `console`.
pub fn qemu(world: &World, drive: &str, command_line: &str) -> Result<()> {
    let mut qemu = Command::new("timeout");
    qemu.arg(PATIENCE.as_secs().to_string()).arg("qemu-system-x86_64");
    qemu.args([
        "-M",
        "q35",
        "-accel",
        "tcg",
        "-cpu",
        "max",
        "-m",
        "256",
        "-nodefaults",
        "-display",
        "none",
        "-no-reboot",
    ]);
    qemu.arg("-serial").arg(format!("file:{}", world.path("console").display()));
    qemu.arg("-kernel").arg(guest("vmlinuz")).args(["-append", &format!("{command_line} no_timer_check")]);
    qemu.args(["-drive", &format!("file={drive},format=raw,if=none,id=root,read-only=on"), "-device"]);
    command::output(qemu.arg("nvme,drive=root,serial=root")).map(drop)
}

#[test]
#[ignore = "slow: boots a guest"]
fn a_kernel_that_was_told_of_no_console() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let line = "panic=-1 root=/dev/vdz";
    qemu(&world, &world.image().display().to_string(), line)?;
    for (arguments, words) in [
        (&[][..], ["either its command line names none, or the kernel does not run", "(console-silent)"]),
        (&["--command-line", line], ["its command line names no console", "console=ttyS0"]),
    ] {
        let said = explain(&world.path("console"), arguments)?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
    Ok(())
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_that_writes_to_another_console() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let mut boot = world.boot("console=tty0 init=/bin/sh -- -c \"sleep 1; poweroff -f\"");
    fails(&mut boot, &["to tty0 alone", "(console-elsewhere)"])
}
