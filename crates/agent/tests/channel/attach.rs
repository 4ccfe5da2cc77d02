//! The workload's streams.

use std::time::{Duration, Instant};

use nex_channel::{Exit, Flow, HostEvent, NotStarted};
use nex_contract::{Attach, Request, Restart, Stdin, Streams, TerminalSize, Workload};
use nex_protocol::{Ended, Event};

use crate::guest::{Guest, exits, with_terminal, workload};
use crate::session::Outcome;

#[test]
fn the_workload_begins_with_the_host_and_ends_with_its_input() {
    let guest = Guest::start(workload(&["sh", "-c", "echo began >&2; wc -c; exit 5"]));
    let mut session = guest.connect();
    session.pass(Duration::from_millis(300));
    let stream = session.attach();
    session.read_until(stream, Flow::Stderr, "began\n");
    session.write(stream, &[b'x'; 1_000_000]);
    session.finish(stream);
    assert_eq!(session.outcome(stream), Outcome { out: "1000000\n".into(), err: String::new(), exit: Exit::Code(5) });
    session.closed();
    let events = guest.wait();
    assert_eq!(exits(&events), [Ended::Code(5)]);
    assert!(!events.iter().any(|event| matches!(event, Event::Output(_))), "its output goes by the channel alone");
}

#[test]
fn one_host_attaches_at_a_time() {
    let guest = Guest::start(workload(&["cat"]));
    let mut session = guest.connect();
    let (first, second) = (session.attach(), session.attach());
    assert_eq!(session.refusal(second), "another attach has the workload's streams");
    session.write(first, b"still here\n");
    session.read_until(first, Flow::Stdout, "still here\n");
    // One that detaches leaves the workload running, and its input open, for the next.
    session.reset(first);
    assert_eq!(session.refusal(first), "detached");
    let observer = session.open(&Request::Attach(Attach { stdin: Stdin::Null, size: None }));
    session.opened(observer);
    session.reset(observer);
    session.end(observer);
    let third = session.attach();
    session.write(third, b"and on\n");
    session.read_until(third, Flow::Stdout, "and on\n");
    session.finish(third);
    assert_eq!(session.outcome(third).exit, Exit::Code(0));
    guest.wait();
}

#[test]
fn a_workload_outlives_the_session_and_waits_with_its_output() {
    let script = "echo one; read line; seq 1 200000; echo \"got $line\"";
    let guest = Guest::start(workload(&["sh", "-c", script]));
    let mut session = guest.connect();
    let stream = session.attach();
    session.read_until(stream, Flow::Stdout, "one\n");
    session.write(stream, b"line\n");
    session.stall(stream);
    session.pass(Duration::from_millis(100));
    drop(session);
    let mut session = guest.connect();
    let stream = session.attach();
    let outcome = session.outcome(stream);
    // What the first session had taken is gone with it; all else is there, to the end.
    assert!(outcome.out.ends_with("\n199999\n200000\ngot line\n") && outcome.exit == Exit::Code(0));
    assert!(outcome.out.len() > 500_000, "{}", outcome.out.len());
    session.closed();
    assert_eq!(exits(&guest.wait()), [Ended::Code(0)]);
}

#[test]
fn the_stream_spans_restarts() {
    let directory = tempfile::tempdir().expect("a directory");
    let count = directory.path().join("count").display().to_string();
    let script = format!("echo x >>{count}; wc -l <{count}; test $(wc -l <{count}) = 3");
    let restart = Restart::OnFailure { times: None };
    let guest = Guest::start(Workload { restart, ..workload(&["sh", "-c", &script]) });
    let mut session = guest.connect();
    let stream = session.attach();
    assert_eq!(session.outcome(stream), Outcome { out: "1\n2\n3\n".into(), err: String::new(), exit: Exit::Code(0) });
    assert_eq!(exits(&guest.wait()), [Ended::Code(1), Ended::Code(1), Ended::Code(0)]);
}

#[test]
fn signals_and_sizes_reach_the_workload() {
    let script = "stty size; trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    let guest = Guest::start(with_terminal(&["sh", "-c", script]));
    let mut session = guest.connect();
    let size = Some(TerminalSize { rows: 40, columns: 100 });
    let stream = session.open(&Request::Attach(Attach { stdin: Stdin::Stream, size }));
    session.read_until(stream, Flow::Stdout, "40 100\r\nready\r\n");
    session.resize(stream, 12, 34);
    session.signal(stream, 15);
    let outcome = session.outcome(stream);
    // The shell may say what became of its other program.
    assert!(outcome.out.ends_with("caught\r\n") && outcome.exit == Exit::Code(7), "{outcome:?}");
    assert_eq!(exits(&guest.wait()), [Ended::Code(7)]);
}

#[test]
fn a_workload_that_does_not_start_says_why_to_the_host() {
    let guest = Guest::start(workload(&["/none/such"]));
    let mut session = guest.connect();
    let stream = session.attach();
    let reason = "there is no /none/such".to_owned();
    let exit = Exit::NotStarted { code: NotStarted::NotFound, reason };
    assert_eq!(session.end(stream), HostEvent::Exit(stream, exit));
    session.closed();
    assert_eq!(exits(&guest.wait()), [Ended::Unstarted(127)]);
}

#[test]
fn a_workload_with_lines_has_no_streams() {
    let guest = Guest::start(Workload { streams: Streams::Lines, ..workload(&["sleep", "1000"]) });
    let mut session = guest.connect();
    // It may be refused before and after the workload is known.
    for _ in 0..2 {
        let stream = session.attach();
        assert!(session.refusal(stream).contains("by the agent's lines"));
    }
    guest.end();
}

#[test]
fn who_is_asked_to_end_tells_how_the_workload_ended_and_waits_for_the_host() {
    let guest = Guest::start(workload(&[
        "sh",
        "-c",
        "trap 'echo asked; exit 4' TERM; echo ready; while :; do sleep 0.05; done",
    ]));
    let mut session = guest.connect();
    let stream = session.attach();
    session.read_until(stream, Flow::Stdout, "ready\n");
    let ending = std::thread::spawn(|| guest.end());
    let outcome = session.outcome(stream);
    assert_eq!((outcome.out.as_str(), outcome.exit), ("asked\n", Exit::Code(4)));
    session.closed();
    let events = ending.join().expect("it ends");
    assert_eq!(exits(&events), [Ended::Code(4)]);
    assert!(matches!(events.last(), Some(Event::End(_))));
    // A host that says nothing more holds up the end for two seconds at most.
    let guest = Guest::start(workload(&["sh", "-c", "seq 1 1000000; sleep 1000"]));
    let mut session = guest.connect();
    let stream = session.attach();
    session.read_until(stream, Flow::Stdout, "\n10\n");
    let start = Instant::now();
    guest.end();
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
}

#[test]
fn a_stop_before_the_workload_has_begun_is_told() {
    let guest = Guest::start(workload(&["cat"]));
    let session = guest.connect();
    let start = Instant::now();
    let events = guest.end();
    assert!(exits(&events).is_empty() && start.elapsed() < Duration::from_secs(5), "{events:?}");
    drop(session);
}
