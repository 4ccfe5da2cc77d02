//! Many guests, one root: what a guest changes goes into memory or onto a drive of its own, and never into the root.

use std::path::Path;
use std::process::Command;

use nex_protocol::{Ended, Event, Role, Source, Start, Stream};
use nex_testkit::layer::Entry;
use nex_testkit::{Result, command, fsck};
use nex_vmm::{Access, Ending};
use serde_json::json;

use crate::machine::{Boot, RUNS};

/// Changes the root in every way, and tells what was there.
const CHANGES: &str = r#"#!/bin/sh
while read -r source target kind rest; do [ $target != / ] || echo $kind; done </proc/mounts
ls /etc/changed /etc/hosts 2>&1
echo changed >/etc/changed
rm -f /etc/hosts
chmod 700 /bin
exit 9
"#;

fn changes() -> Vec<Entry> {
    vec![Entry::file("changes", CHANGES).mode(RUNS)]
}

fn sha256(file: &Path) -> Result<String> {
    let line = command::run(Command::new("sha256sum").arg(file))?;
    Ok(String::from_utf8_lossy(&line).chars().take(64).collect())
}

#[test]
#[ignore = "slow: boots two guests on an emulated processor"]
fn changes_in_memory_are_gone_with_the_guest() -> Result<()> {
    let Some(boot) = Boot::new(changes(), json!({ "Cmd": ["/changes"] }))? else { return Ok(()) };
    let before = sha256(&boot.root())?;
    let boot = boot.words("ro nex.overlay=tmpfs nex.workload=image nex.poweroff=1");
    for _ in 0..2 {
        let seen = boot.run()?;
        assert_eq!(seen.is_whole().failures(), Vec::<String>::new());
        let said = seen.written(Source::Workload, Stream::Out);
        assert_eq!(said, "overlay\nls: /etc/changed: No such file or directory\n/etc/hosts\n");
        assert_eq!(seen.exits(Source::Workload)[0].end, Ended::Code(9));
        assert!(seen.events().any(|event| matches!(event, Event::Start(Start { role: Role::Overlay, .. }))));
        assert_eq!(sha256(&boot.root())?, before);
    }
    Ok(())
}

#[test]
#[ignore = "slow: boots two guests on an emulated processor"]
fn changes_on_a_drive_stay_there_and_leave_it_clean() -> Result<()> {
    let Some(boot) = Boot::new(changes(), json!({ "Cmd": ["/changes"] }))? else { return Ok(()) };
    let before = sha256(&boot.root())?;
    let drive = boot.directory().join("changes.ext4");
    command::run(Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(&drive).arg("32M"))?;
    let boot = boot.drive(&drive, Access::Write).words("ro nex.overlay=/dev/vdb nex.workload=image nex.poweroff=1");
    let mut said = Vec::new();
    for _ in 0..2 {
        let seen = boot.run()?;
        assert_eq!(seen.is_whole().failures(), Vec::<String>::new());
        assert_eq!(seen.ending, Ending::PoweredOff);
        said.push(seen.written(Source::Workload, Stream::Out));
        fsck::check(&drive)?;
        assert_eq!(sha256(&boot.root())?, before);
    }
    assert_eq!(said[0], "overlay\nls: /etc/changed: No such file or directory\n/etc/hosts\n");
    assert_eq!(said[1], "overlay\nls: /etc/hosts: No such file or directory\n/etc/changed\n");
    Ok(())
}

/// Another init than the agent: it tells what it has, and ends the machine by itself.
const INIT: &str = r#"#!/bin/sh
mount -t sysfs sysfs /sys 2>/dev/null
echo "init: $$ $0 $1" >/dev/console
while read -r source target kind rest; do echo "init: $target $kind" >/dev/console; done </proc/mounts
touch /written
poweroff -f
"#;

#[test]
fn the_images_own_init_runs_in_the_overlay() -> Result<()> {
    let files = vec![Entry::file("bin/other-init", INIT).mode(RUNS)];
    let Some(boot) = Boot::new(files, json!({}))? else { return Ok(()) };
    let before = sha256(&boot.root())?;
    let boot = boot.words("ro init=/usr/local/bin/agent nex.overlay=tmpfs nex.init=/bin/other-init single");
    let seen = boot.run()?;
    let line = |text: &str| seen.console.lines().any(|line| line.trim_end().ends_with(text));
    for text in ["init: 1 /bin/other-init single", "init: / overlay", "init: /dev devtmpfs", "init: /proc proc"] {
        assert!(line(text), "{text} in:\n{}", seen.console);
    }
    assert!(!line("ext4"), "{}", seen.console);
    assert_eq!(sha256(&boot.root())?, before);
    Ok(())
}
