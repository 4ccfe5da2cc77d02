//! Another machine: Alpine for arm64, with a script for an agent.

use std::fs;
use std::process::Command;

use nex_protocol::{Encoder, Event, Ready, Role};
use nex_testkit::{Result, command, corpus};
use nex_vmm::Architecture;

use crate::guest::{Guest, in_order, rootfs};

/// A script that does what an init must, writes a file, and says as the agent does that the guest is up.
fn script() -> Result<String> {
    let ready = Ready { version: "0.0.0".into(), role: Role::Init, start_ms: 1, uptime_ms: 2 };
    let mut line = Vec::new();
    Encoder::new().encode(&Event::Ready(ready), &mut line);
    let line = String::from_utf8(line)?;
    Ok(format!(
        "#!/bin/sh\nmount -t devtmpfs dev /dev\nexec >/dev/console 2>&1\nmount -t proc proc /proc\n\
         echo written >/written\necho \"machine $(uname -m)\"\necho '{}'\n\
         sleep 1\nmount -o remount,ro /\npoweroff -f\n",
        line.trim_end()
    ))
}

#[test]
#[ignore = "slow: boots a guest of another machine"]
fn alpine_for_arm64() -> Result<()> {
    let Some(tar) = corpus::alpine("aarch64")? else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    fs::write(path("alpine.tar"), tar)?;
    fs::write(path("agent"), script()?)?;
    let image = path("rootfs.ext4");
    let mut build = rootfs(&format!("tar:{}", path("alpine.tar").display()), &path("agent"), &image);
    command::run(build.args(["--platform", "linux/arm64"]))?;
    let Some(mut guest) = Guest::start(Architecture::Aarch64, &image, "")? else { return Ok(()) };
    assert_eq!(guest.ready()?.role, Role::Init);
    let console = guest.ended()?;
    assert!(console.contains("machine aarch64"), "{console}");
    in_order(&image)?;
    let written = command::run(Command::new("debugfs").args(["-R", "cat /written"]).arg(&image))?;
    assert_eq!(written, b"written\n");
    Ok(())
}
