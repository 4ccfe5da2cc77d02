//! The agent as a service of another init, and the boot script before it.

use std::fs;

use nex_protocol::{Event, Item, Ready, Role};
use nex_testkit::debian::{Debian, TAG};
use nex_testkit::{Result, fsck};

use crate::machine::{Boot, see};

/// Says who it is, and fails.
const BOOT_SCRIPT: &str = "#!/bin/sh\necho \"the boot script runs as $(id -u)\"\ntouch /boot-script-ran\nexit 1\n";

#[test]
#[ignore = "slow: makes a Debian image with mmdebstrap, once, and boots systemd on an emulated processor"]
fn systemd_runs_the_boot_script_as_root_and_the_agent_after_it() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let script = directory.path().join("boot.sh");
    fs::write(&script, BOOT_SCRIPT)?;
    let image = format!("oci:{}:{TAG}", Debian::Services.gzip_layout()?.display());
    let Some(boot) = Boot::of_image(&image, &["--boot-script", &script.to_string_lossy()])? else { return Ok(()) };
    let ready = |item: &Item| matches!(item, Item::Event(Event::Ready(Ready { role: Role::Service, .. })));
    let boot = boot.words("rw");
    let seen = see(boot.start()?, |guest, item| {
        // systemd takes it for a reboot, and stops its services first.
        if ready(item) { Ok(guest.press_ctrl_alt_del()?) } else { Ok(()) }
    })?;
    let says = |item: &Item| matches!(item, Item::Console(line) if line.ends_with(b"the boot script runs as 0"));
    let (said, was_ready) = (seen.items.iter().position(says), seen.items.iter().position(ready));
    assert!(said.is_some() && said < was_ready, "{said:?} and {was_ready:?}:\n{}", seen.console);
    // systemd shortens the name.
    let failed = |line: &str| line.contains("FAILED") && line.contains("nex-boot-s");
    assert!(seen.console.lines().any(failed), "{}", seen.console);
    fsck::check(&boot.root())?;
    Ok(())
}
