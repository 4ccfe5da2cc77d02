//! The agent as init: what it sets up, the boot script, the end.

use std::fs;
use std::process::Command;

use nex_protocol::{EndBy, Ended, Event, Item, Ready, Role, Source, Start, Stream};
use nex_testkit::layer::Entry;
use nex_testkit::{Result, command, fsck, nex};
use nex_vmm::Ending;
use serde_json::json;

use crate::machine::{Boot, RUNS, see};

/// Says what an init has set up, leaves orphans behind, and fails.
const BOOT_SCRIPT: &str = r#"#!/bin/sh
echo "I am $(id -u) in $PWD with $HOME on $(hostname), greeted: $GREETING"
while read -r source target kind options rest; do echo "mounted $target $kind $options"; done </proc/mounts
ip addr show lo | grep -o 'inet [0-9.]*'
ping -c 1 127.0.0.1 | grep -o '1 packets received'
cat /etc/resolv.conf
cat /etc/ssh/ssh_host_fake_key
ls -l /dev/fd /dev/stdin | grep -c proc/self/fd
echo trouble >&2
(sleep 0.1 &) ; (sleep 0.2 & sleep 0.2 &)
touch /written-by-the-boot-script
exit 3
"#;

/// Stands for the program that makes SSH host keys.
const KEYGEN: &str = "#!/bin/sh\necho not to be seen; echo made by $0 $1 as $(id -u) > /etc/ssh/ssh_host_fake_key\n";

/// Waits for the orphans' end, and tells who is dead and not buried.
const WORKLOAD: &str = r#"#!/bin/sh
sleep 1
ps -o stat,comm | grep '^Z'
echo "no zombies: $?"
trap 'echo stopped by its own signal; exit 5' QUIT
echo waiting
while :; do sleep 0.1; done
"#;

#[test]
fn the_agent_is_one_small_static_file() -> Result<()> {
    const MOST: u64 = 3 << 20;
    let agent = nex::agent()?;
    let size = fs::metadata(agent)?.len();
    assert!(size < MOST, "{size} bytes");
    let headers = command::run(Command::new("readelf").args(["--program-headers", "--dynamic"]).arg(agent))?;
    let headers = String::from_utf8_lossy(&headers);
    assert!(headers.contains("LOAD") && !headers.contains("INTERP") && !headers.contains("NEEDED"), "{headers}");
    Ok(())
}

#[test]
fn the_init_sets_up_runs_the_script_reaps_stops_and_leaves_the_disk_clean() -> Result<()> {
    let files = vec![
        Entry::file("workload", WORKLOAD).mode(RUNS),
        Entry::file("usr/sbin/sshd", "").mode(RUNS),
        Entry::file("usr/bin/ssh-keygen", KEYGEN).mode(RUNS),
        Entry::file("etc/ssh/sshd_config", ""),
    ];
    let config = json!({ "Entrypoint": ["/workload"], "StopSignal": "SIGQUIT", "Env": ["GREETING=hello, world"] });
    let directory = tempfile::tempdir()?;
    let script = directory.path().join("boot.sh");
    fs::write(&script, BOOT_SCRIPT)?;
    let Some(boot) = Boot::with(files, config, &["--boot-script", &script.to_string_lossy()])? else { return Ok(()) };
    // Debian's kernel has no CONFIG_IP_PNP, and leaves ip= to whom it concerns.
    let ip = "ip=192.0.2.15::192.0.2.2:255.255.255.0:nex:eth0:off:192.0.2.53:192.0.2.54";
    let boot = boot.words(&format!("rw nex.workload=image {ip}"));
    let seen = see(boot.start()?, |guest, item| {
        let Item::Event(Event::Output(output)) = item else { return Ok(()) };
        if output.text == b"waiting" { Ok(guest.press_ctrl_alt_del()?) } else { Ok(()) }
    })?;
    seen.is_whole();

    seen.in_order(&[
        ("initramfs", |event| matches!(event, Event::Start(Start { role: Role::Initramfs, .. }))),
        ("init", |event| matches!(event, Event::Start(Start { role: Role::Init, .. }))),
        ("the script's output", |event| matches!(event, Event::Output(output) if output.source == Source::BootScript)),
        ("the script's end", |event| matches!(event, Event::Exit(exit) if exit.source == Source::BootScript)),
        ("ready", |event| matches!(event, Event::Ready(Ready { role: Role::Init, .. }))),
        ("the workload's output", |event| matches!(event, Event::Output(output) if output.source == Source::Workload)),
        ("the workload's end", |event| matches!(event, Event::Exit(exit) if exit.source == Source::Workload)),
        ("the end", |event| matches!(event, Event::End(end) if end.by == EndBy::PowerOff)),
    ]);
    assert_eq!(seen.exits(Source::BootScript)[0].end, Ended::Code(3));
    assert_eq!(seen.written(Source::BootScript, Stream::Err), "trouble\n");
    let said = seen.written(Source::BootScript, Stream::Out);
    for line in [
        "I am 0 in / with /root on nex, greeted: hello, world",
        "mounted /proc proc rw,nosuid,nodev,noexec",
        "mounted /dev devtmpfs rw,nosuid",
        "mounted /sys sysfs rw,nosuid,nodev,noexec",
        "mounted /run tmpfs rw,nosuid,nodev",
        "mounted /tmp tmpfs rw,nosuid,nodev",
        "mounted /dev/pts devpts rw,nosuid,noexec",
        "mounted /dev/shm tmpfs rw,nosuid,nodev",
        "mounted /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec",
        "nameserver 192.0.2.53",
        "nameserver 192.0.2.54",
        "made by /usr/bin/ssh-keygen -A as 0",
        "inet 127.0.0.1",
        "1 packets received",
        "2",
    ] {
        assert!(said.lines().any(|said| said.starts_with(line)), "{line} in:\n{said}");
    }

    assert!(!said.contains("not to be seen"), "{said}");

    let said = seen.written(Source::Workload, Stream::Out);
    assert_eq!(said, "no zombies: 1\nwaiting\nstopped by its own signal\n");
    assert_eq!(seen.exits(Source::Workload)[0].end, Ended::Code(5));
    assert_eq!(seen.failures(), Vec::<String>::new());
    assert_eq!(seen.ending, Ending::PoweredOff);
    fsck::check(&boot.root())?;
    Ok(())
}
