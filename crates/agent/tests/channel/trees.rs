//! All that runs for a stream is killed with it.

use std::fs;
use std::time::{Duration, Instant};

use nex_channel::{Exit, Flow, HostEvent, Signal};
use nex_contract::{Streams, Workload};

use crate::guest::{Group, Guest, workload};
use crate::session::exec;

/// Starts children in the background, in a session of their own, and in one whose parents have ended.
const FAMILY: &str =
    "sleep 1111 & setsid sleep 1111 & (setsid sh -c 'sleep 1111 & sleep 1111' &) & sleep 0.3; echo ready; wait";

/// The processes that have this variable.
fn marked(mark: &str) -> Vec<String> {
    let has = |path: &std::path::Path| {
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        let is_it = |variable: &[u8]| variable == mark.as_bytes();
        environment.split(|&byte| byte == 0).any(is_it)
    };
    let processes = fs::read_dir("/proc").expect("there").flatten().map(|entry| entry.path());
    processes.filter(|path| has(path)).map(|path| path.display().to_string()).collect()
}

fn wait_until_gone(mark: &str) {
    let start = Instant::now();
    while !marked(mark).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "{:?} run on", marked(mark));
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn family(mark: &str) -> nex_contract::Exec {
    let mut exec = exec(&["sh", "-c", FAMILY]);
    exec.env.push(nex_contract::ByteString::new(mark).expect("no zero"));
    exec
}

fn killed() -> Exit {
    Exit::Signal(Signal::new(9).expect("one"))
}

fn idle(group: &Group) -> Guest {
    Guest::in_groups(Workload { streams: Streams::Lines, ..workload(&["sleep", "1000"]) }, group.path())
}

#[test]
fn a_stream_that_is_given_up_takes_its_daemons_along() {
    let Some(group) = Group::make() else { return };
    let guest = idle(&group);
    let mut session = guest.connect();
    let other = session.exec(exec(&["sh", "-c", "read line; exit 6"]));
    let stream = session.exec(family("MARK=given-up"));
    session.read_until(stream, Flow::Stdout, "ready\n");
    assert!(marked("MARK=given-up").len() >= 5, "{:?}", marked("MARK=given-up"));
    session.reset(stream);
    assert_eq!(session.end(stream), HostEvent::Exit(stream, killed()));
    wait_until_gone("MARK=given-up");
    // Others are left alone.
    assert_eq!(session.outcome(other).exit, Exit::Code(6));
    guest.end();
}

#[test]
fn a_session_that_breaks_takes_its_programs_along() {
    let Some(group) = Group::make() else { return };
    let guest = idle(&group);
    for how in ["gone", "closed", "another"] {
        let mark = format!("MARK=session-{how}");
        let mut session = guest.connect();
        let stream = session.exec(family(&mark));
        session.read_until(stream, Flow::Stdout, "ready\n");
        match how {
            "closed" => session.close(),
            "another" => drop(guest.connect()),
            _ => drop(session),
        }
        wait_until_gone(&mark);
    }
    guest.end();
}

#[test]
fn a_program_that_has_ended_leaves_its_daemons_running() {
    let Some(group) = Group::make() else { return };
    let guest = idle(&group);
    let mut session = guest.connect();
    let mut daemon = exec(&["sh", "-c", "setsid sleep 2 >/dev/null 2>&1 &"]);
    daemon.env.push(nex_contract::ByteString::new("MARK=left").expect("no zero"));
    assert_eq!(session.run(daemon, b"").exit, Exit::Code(0));
    session.close();
    assert_eq!(marked("MARK=left").len(), 1);
    guest.end();
    wait_until_gone("MARK=left");
}

#[test]
fn the_end_of_all_takes_the_workload_and_its_daemons_along() {
    let Some(group) = Group::make() else { return };
    let mut described = workload(&["sh", "-c", &format!("trap '' TERM; {FAMILY}")]);
    described.env.push("MARK=workload".into());
    let guest = Guest::in_groups(described, group.path());
    let mut session = guest.connect();
    let stream = session.attach();
    session.read_until(stream, Flow::Stdout, "ready\n");
    drop(session);
    guest.end();
    wait_until_gone("MARK=workload");
}

#[test]
fn without_control_groups_a_session_goes() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let mut exec = exec(&["sh", "-c", "sleep 1111 & setsid sleep 1111 & sh -c 'sleep 1111' & echo ready; wait"]);
    exec.env.push(nex_contract::ByteString::new("MARK=session").expect("no zero"));
    let stream = session.exec(exec);
    session.read_until(stream, Flow::Stdout, "ready\n");
    session.pass(Duration::from_millis(200));
    session.reset(stream);
    assert_eq!(session.end(stream), HostEvent::Exit(stream, killed()));
    wait_until_gone("MARK=session");
    guest.end();
}
