//! Terminals.

use std::time::Duration;

use nex_channel::{Exit, Flow};
use nex_contract::{Exec, Stdin};

use crate::guest::Guest;
use crate::session::{Session, exec_with_terminal};
use nex_channel::StreamId;

fn shell(session: &mut Session, script: &str) -> StreamId {
    session.exec(exec_with_terminal(&["sh", "-c", script]))
}

#[test]
fn a_program_has_a_terminal_of_the_size_and_type_that_the_host_has() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let script =
        "stty size; echo $TERM; test -t 0 && test -t 1 && test -t 2 && echo three; ps -o tty= -p $$; echo to err >&2";
    let stream = shell(&mut session, script);
    let outcome = session.outcome(stream);
    let lines: Vec<&str> = outcome.out.split("\r\n").collect();
    assert_eq!((lines[..3].to_vec(), lines[4]), (vec!["30 90", "vt220", "three"], "to err"), "{outcome:?}");
    assert!(lines[3].starts_with("pts/"), "it is the controlling one: {outcome:?}");
    assert_eq!((outcome.err.as_str(), outcome.exit), ("", Exit::Code(0)));
    guest.end();
}

#[test]
fn keys_are_echoed_and_the_end_of_the_input_is_a_key() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let stream = shell(&mut session, "echo ready; while read line; do echo \"<$line>\"; done; echo over");
    session.read_until(stream, Flow::Stdout, "ready\r\n");
    session.write(stream, b"one\r");
    session.read_until(stream, Flow::Stdout, "one\r\n<one>\r\n");
    // Behind a line that has begun, too.
    session.write(stream, b"three");
    session.finish(stream);
    let outcome = session.outcome(stream);
    assert!(outcome.out.contains("over\r\n") && outcome.exit == Exit::Code(0), "{outcome:?}");
    guest.end();
}

#[test]
fn new_sizes_are_told() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let stream = shell(&mut session, "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done");
    session.read_until(stream, Flow::Stdout, "ready\r\n");
    session.resize(stream, 11, 22);
    session.resize(stream, 33, 44);
    let outcome = session.outcome(stream);
    assert!(["11 22\r\n", "33 44\r\n"].contains(&outcome.out.as_str()), "{outcome:?}");
    guest.end();
}

#[test]
fn ctrl_c_is_a_signal_for_what_is_in_the_foreground() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let stream = shell(&mut session, "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done");
    session.read_until(stream, Flow::Stdout, "ready\r\n");
    session.write(stream, b"\x03");
    let outcome = session.outcome(stream);
    assert!(outcome.out.contains("caught") && outcome.exit == Exit::Code(9), "{outcome:?}");
    guest.end();
}

#[test]
fn a_terminal_without_input_stays_open() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let exec = exec_with_terminal(&["sh", "-c", "stty size; read line; echo not reached"]);
    let stream = session.exec(Exec { stdin: Stdin::Null, ..exec });
    session.read_until(stream, Flow::Stdout, "30 90\r\n");
    session.pass(Duration::from_millis(300));
    assert!(!session.has_ended(stream) && session.count(stream, Flow::Stdout) == 0);
    session.reset(stream);
    session.end(stream);
    guest.end();
}

#[test]
fn all_that_was_written_to_a_terminal_comes_through() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let stream = shell(&mut session, "stty -opost; seq 1 100000");
    let outcome = session.outcome(stream);
    assert!(outcome.out.ends_with("\n100000\n") && outcome.out.len() == 588_895, "{}", outcome.out.len());
    // Whoever holds it open, too.
    let stream = shell(&mut session, "seq 1 5000; setsid sleep 2 &");
    let start = std::time::Instant::now();
    let outcome = session.outcome(stream);
    assert!(
        outcome.out.contains("\n5000\r\n") && start.elapsed() < Duration::from_millis(1800),
        "{:?}",
        start.elapsed()
    );
    guest.end();
}
