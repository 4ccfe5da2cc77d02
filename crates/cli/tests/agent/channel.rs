//! A host that talks to a guest: programs, terminals, trees that are killed, and the workload's streams.

use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nex_channel::{Exit, Flow, HostEvent, Signal};
use nex_contract::{ChannelStreams, Exec, Stdin, Streams, Workload};
use nex_protocol::{Ended, Event, Source};
use nex_testkit::{Failure, Result, command};
use nex_vmm::{Access, ChannelOpening, Ending, Guest};
use serde_json::json;

use crate::machine::{Boot, see};
use crate::workload::drive;
use session::{Session, exec, exec_with_input, exec_with_terminal};

#[path = "../../../agent/tests/channel/session.rs"]
#[allow(dead_code, reason = "the agent's own tests, which this file is of, use more of it")]
mod session;

/// A program in a session of its own, one whose parents have ended, and one of the shell's.
const FAMILY: &str =
    "sleep 1111 & setsid sleep 1111 & (setsid sh -c 'sleep 1111 & sleep 1111' &) & sleep 1; echo ready; wait";

/// A guest whose workload has its streams on the channel.
fn boot(workload: Workload) -> Result<Option<Boot>> {
    let Some(boot) = Boot::new(vec![], json!({}))? else { return Ok(None) };
    let streams = Streams::Channel(ChannelStreams { stdin: Stdin::Stream, terminal: None });
    let drive = drive(&boot, &Workload { streams, env: vec!["FROM=workload".into()], ..workload }, None)?;
    Ok(Some(boot.channel().drive(&drive, Access::ReadOnly).words("rw nex.workload=/dev/vdb nex.poweroff=1")))
}

fn connect(guest: &mut Guest) -> Result<UnixStream> {
    match guest.open_channel()? {
        ChannelOpening::Open(stream) => Ok(stream),
        _ => Err(Failure::new("QEMU's channel is not open at once")),
    }
}

fn shell(script: &str) -> Exec {
    exec(&["sh", "-c", script])
}

/// What a host does with a guest that has this workload.
const COUNTING: &str = "tee /tmp/all | wc -c; sha256sum </tmp/all; exit 9";

#[test]
#[ignore = "slow: a guest of several sessions, and 8 MiB through its emulated processor"]
fn a_host_runs_programs_kills_trees_and_feeds_the_workload() -> Result<()> {
    const SIZE: usize = 8 << 20;
    let workload = Workload { program: "sh".into(), args: vec!["-c".into(), COUNTING.into()], ..Workload::default() };
    let Some(boot) = boot(workload)? else { return Ok(()) };
    let mut guest = boot.start()?;
    let stream = connect(&mut guest)?;
    let content: Vec<u8> = (0..SIZE as u32).map(|place| place.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let file = boot.directory().join("content");
    std::fs::write(&file, &content)?;
    let digest = command::run(Command::new("sha256sum").stdin(std::fs::File::open(&file)?))?;
    let expected = format!("{SIZE}\n{}", String::from_utf8_lossy(&digest));
    let host = thread::spawn(move || {
        let mut session = Session::begin_on_port(stream, 1);
        programs_and_terminals(&mut session);
        trees(&mut session);
        // A session that breaks takes its programs along: this one by another on the same port.
        let left = session.exec(shell(FAMILY));
        session.read_until(left, Flow::Stdout, "ready\n");
        let mut session = Session::begin_on_port(session.leave(), 2);
        assert_eq!(sleepers(&mut session), "0\n");
        let stream = session.attach();
        session.write(stream, &content);
        session.finish(stream);
        let outcome = session.outcome(stream);
        session.closed();
        outcome
    });
    let seen = see(guest, |_, _| Ok(()))?;
    let outcome = host.join().map_err(|_| Failure::new(format!("the host gave up:\n{}", seen.console)))?;
    assert_eq!((outcome.out, outcome.err.as_str(), outcome.exit), (expected, "", Exit::Code(9)));
    seen.is_whole();
    let ends: Vec<Ended> = seen.exits(Source::Workload).iter().map(|exit| exit.end).collect();
    assert_eq!((ends, seen.failures()), (vec![Ended::Code(9)], vec![]));
    assert!(!seen.events().any(|event| matches!(event, Event::Output(_))), "{}", seen.console);
    assert_eq!(seen.ending, Ending::PoweredOff);
    Ok(())
}

fn programs_and_terminals(session: &mut Session) {
    let outcome = session.run(shell("id -u; pwd; echo $FROM; echo trouble >&2; exit 3"), b"");
    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("0\n/\nworkload\n", "trouble\n"));
    assert_eq!(outcome.exit, Exit::Code(3));
    let user = Exec { user: "nex".into(), ..exec_with_input(&["sh", "-c", "id -u; cat /dev/stdin >/dev/stdout"]) };
    assert_eq!(session.run(user, b"given\n").out, "1000\ngiven\n");
    let outcome = session.run(exec(&["nonesuch"]), b"");
    assert!(matches!(outcome.exit, Exit::NotStarted { .. }), "{outcome:?}");

    let script =
        "busybox tty; busybox stty size; trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.1; done";
    let stream = session.exec(exec_with_terminal(&["sh", "-c", script]));
    let seen = session.read_until(stream, Flow::Stdout, "ready\r\n");
    assert_eq!(seen, "/dev/pts/0\r\n30 90\r\nready\r\n");
    session.resize(stream, 12, 34);
    session.write(stream, b"\x03");
    let outcome = session.outcome(stream);
    assert!(outcome.out.contains("caught") && outcome.exit == Exit::Code(4), "{outcome:?}");
}

fn trees(session: &mut Session) {
    let stream = session.exec(shell(FAMILY));
    session.read_until(stream, Flow::Stdout, "ready\n");
    assert_eq!(sleepers(session), "4\n");
    session.reset(stream);
    let killed = HostEvent::Exit(stream, Exit::Signal(Signal::new(9).expect("a signal")));
    assert_eq!(session.end(stream), killed);
    assert_eq!(sleepers(session), "0\n");
    // Only the group of the program that looks is left.
    let groups = session.run(shell("ls -d /sys/fs/cgroup/nex/*/ | wc -l; cat /proc/self/cgroup"), b"").out;
    assert!(groups.starts_with("1\n0::/nex/"), "{groups}");
}

/// How many of the family run.
fn sleepers(session: &mut Session) -> String {
    session.pass(Duration::from_millis(200));
    session.run(shell("ps | grep -c '[s]leep 1111$'"), b"").out
}

#[test]
#[ignore = "slow: a guest whose programs take their time to end"]
fn a_machine_that_ends_tells_the_host_all_before() -> Result<()> {
    let script = "trap 'seq 1 20000; exit 6' TERM; echo ready; while :; do sleep 0.1; done";
    let workload = Workload { program: "sh".into(), args: vec!["-c".into(), script.into()], ..Workload::default() };
    let Some(boot) = boot(workload)? else { return Ok(()) };
    let mut guest = boot.start()?;
    let stream = connect(&mut guest)?;
    let host = thread::spawn(move || {
        let mut session = Session::begin_on_port(stream, 1);
        let workload = session.attach();
        session.read_until(workload, Flow::Stdout, "ready\n");
        let other = session.exec(exec(&["sleep", "1111"]));
        session.opened(other);
        // Process 1 is asked to end the machine.
        session.exec(exec(&["kill", "-TERM", "1"]));
        let ended = (session.outcome(workload), session.end(other));
        session.closed();
        (ended, other)
    });
    let seen = see(guest, |_, _| Ok(()))?;
    let ended = host.join().map_err(|_| Failure::new(format!("the host gave up:\n{}", seen.console)))?;
    let ((workload, other_end), other) = ended;
    assert!(workload.out.ends_with("\n20000\n") && workload.exit == Exit::Code(6), "{:?}", workload.exit);
    assert_eq!(other_end, HostEvent::Exit(other, Exit::Signal(Signal::new(15).expect("a signal"))));
    assert_eq!(seen.is_whole().exits(Source::Workload)[0].end, Ended::Code(6));
    assert_eq!(seen.ending, Ending::PoweredOff);
    Ok(())
}
