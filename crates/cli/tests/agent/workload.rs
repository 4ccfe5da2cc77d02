//! One workload: its output to the last byte, its ends, its restarts, and where it comes from.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nex_contract::{BINARY_FILE, DRIVE_LABEL, Json, Restart, WORKLOAD_FILE, Workload};
use nex_protocol::{EndBy, Ended, Event, Output, Source, Stream};
use nex_testkit::layer::Entry;
use nex_testkit::{Result, command};
use nex_vmm::{Access, Ending};
use serde_json::json;

use crate::machine::{Boot, RUNS};

/// A drive as nex makes it, but made by mke2fs.
pub fn drive(boot: &Boot, workload: &Workload, binary: Option<&str>) -> Result<PathBuf> {
    let content = boot.directory().join("drive");
    let inside = |path: &str| content.join(path.trim_start_matches('/'));
    fs::create_dir(&content)?;
    fs::write(inside(WORKLOAD_FILE), workload.to_json()?)?;
    if let Some(binary) = binary {
        fs::write(inside(BINARY_FILE), binary)?;
        command::run(Command::new("chmod").arg("755").arg(inside(BINARY_FILE)))?;
    }
    let drive = boot.directory().join("workload.ext4");
    let mut make = Command::new("mke2fs");
    command::run(make.args(["-q", "-t", "ext4", "-L", DRIVE_LABEL, "-d"]).arg(&content).arg(&drive).arg("4M"))?;
    Ok(drive)
}

/// Writes a million bytes to both streams by turns, with lines of every length, bytes of every value, and no end to the last
/// line. More would take long: an emulated serial port sends some hundred kilobytes in a second.
const FLOOD: &str = r#"#!/bin/sh
echo "I am $(id -u):$(id -g) in $PWD, $0 $1 $2, A=$A HOME=$HOME, stdin $(wc -c)"
echo "$(ulimit -Sn) of $(ulimit -Hn) files, ports from $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start) on" >/dev/stdout
echo "pings by groups $(tr '\t' ' ' </proc/sys/net/ipv4/ping_group_range)" >/dev/stdout
printf 'a question? '
sleep 2
echo answered
pattern=/tmp/pattern
i=0
while [ $i -lt 256 ]; do printf "\\$(printf %o $i)"; i=$((i+1)); done >$pattern
head -c 100000 /dev/zero | tr '\0' x >>$pattern
seq 1 1000 >>$pattern
i=0
while [ $i -lt 10 ]; do cat $pattern; echo "$i" >&2; i=$((i+1)); done
printf 'no newline'
kill -SEGV $$
"#;

#[test]
#[ignore = "slow: a guest sends a megabyte over an emulated serial port"]
fn a_flood_comes_through_to_the_last_byte_and_the_signal_is_told() -> Result<()> {
    let Some(boot) = Boot::new(vec![Entry::directory("srv").owner(1000, 1000)], json!({}))? else { return Ok(()) };
    let workload = Workload {
        argv0: "flood".into(),
        args: vec!["-x".into(), "a b".into()],
        env: vec!["A=1".into(), "A=2".into()],
        user: "nex".into(),
        working_dir: "/srv".into(),
        ..Workload::default()
    };
    let drive = drive(&boot, &workload, Some(FLOOD))?;
    let boot = boot.drive(&drive, Access::ReadOnly).words("nex.workload=/dev/vdb nex.poweroff=1 rw");
    let seen = boot.run()?;
    seen.is_whole();

    // The kernel gives a script its own path in place of the name that it was called by.
    let hello = "I am 1000:1000 in /srv, /run/nex/workload/binary -x a b, A=2 HOME=/home/nex, stdin 0\n";
    let limits = "1048576 of 1048576 files, ports from 0 on\npings by groups 0 2147483647\n";
    let mut expected = [hello, limits, "a question? answered\n"].concat().into_bytes();
    let mut pattern: Vec<u8> = (0..=u8::MAX).collect();
    pattern.extend(vec![b'x'; 100_000]);
    (1..=1000).for_each(|number| pattern.extend(format!("{number}\n").into_bytes()));
    (0..10).for_each(|_| expected.extend_from_slice(&pattern));
    expected.extend_from_slice(b"no newline");
    let written = seen.bytes(Source::Workload, Stream::Out);
    assert_eq!(written.len(), expected.len());
    assert!(written == expected, "the bytes differ");
    let turns: String = (0..10).map(|turn| format!("{turn}\n")).collect();
    assert_eq!(seen.written(Source::Workload, Stream::Err), turns);
    let question = |event: &Event| matches!(event, Event::Output(Output { text, line_ends: false, .. }) if text == b"a question? ");
    assert!(seen.events().any(question), "a part of a line waited for its end");
    assert_eq!(seen.exits(Source::Workload)[0].end, Ended::Signal(11));
    assert_eq!(seen.ending, Ending::PoweredOff);
    Ok(())
}

/// Ends in another way each time.
const TURNS: &str = r#"#!/bin/sh
echo . >>/tmp/turns
turn=$(wc -l </tmp/turns)
echo "turn $turn of $0, $(ulimit -Sn) of $(ulimit -Hn) files"
sleep 100 &
case $turn in 1) exit 42 ;; 2) kill -KILL $$ ;; *) exit 0 ;; esac
"#;

#[test]
fn failures_are_started_again_until_one_succeeds() -> Result<()> {
    let Some(boot) = Boot::new(vec![Entry::file("bin/turns", TURNS).mode(RUNS)], json!({}))? else { return Ok(()) };
    let restart = Restart::OnFailure { times: Some(5) };
    let workload = Workload { program: "turns".into(), open_files: Some(64), restart, ..Workload::default() };
    let drive = drive(&boot, &workload, None)?;
    let seen = boot
        .drive(&drive, Access::ReadOnly)
        .words("nex.workload=/dev/vdb nex.poweroff=reboot nex.poweroff=1 ro")
        .run()?;
    assert!(matches!(seen.events().last(), Some(Event::End(end)) if end.by == EndBy::Reset));
    assert_eq!(seen.ending, Ending::Reset);
    let exits = seen.is_whole().exits(Source::Workload);
    let ends: Vec<_> = exits.iter().map(|exit| (exit.end, exit.restart_ms)).collect();
    assert_eq!(ends, [(Ended::Code(42), Some(100)), (Ended::Signal(9), Some(200)), (Ended::Code(0), None)]);
    assert!(exits[1].uptime_ms >= exits[0].uptime_ms + 100 && exits[2].uptime_ms >= exits[1].uptime_ms + 200);
    let said = seen.written(Source::Workload, Stream::Out);
    let turn = |number| format!("turn {number} of /bin/turns, 64 of 64 files\n");
    assert_eq!(said, [1, 2, 3].map(turn).concat());
    Ok(())
}
