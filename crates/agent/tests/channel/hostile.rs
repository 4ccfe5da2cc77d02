//! Hosts that break rules: the guest goes on, and what ran for them does not.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nex_channel::{Exit, Flow, Frame, Hello, Message, Part, StreamId};
use nex_protocol::Event;

use crate::guest::{Guest, workload};
use crate::session::{Session, exec};

/// Says this, and reads until the guest hangs up.
fn say(mut stream: UnixStream, bytes: &[u8]) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    // It may have hung up before all is said.
    let _ = stream.write_all(bytes);
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    said
}

fn hello() -> Vec<u8> {
    let mut bytes = Vec::new();
    Hello { version: 1, window: 1000, session: 1 }.encode(&mut bytes);
    bytes
}

fn frame(stream: u32, message: Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame { stream: StreamId::new(stream).expect("a number"), message }.encode(&mut bytes);
    bytes
}

#[test]
fn who_breaks_a_rule_is_hung_up_on_and_the_next_is_served() {
    let guest = Guest::idle();
    let open = |json: &'static [u8]| frame(1, Message::Open(json, Part::Last));
    let sleep = br#"{"exec":{"argv":["sleep","1000"]}}"#;
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 100_000],
        [hello(), vec![0; 12]].concat(),
        [hello(), hello()].concat(),
        [hello(), open(sleep), open(sleep)].concat(),
        [hello(), open(sleep), vec![0xff; 12]].concat(),
        [hello(), frame(1, Message::Opened)].concat(),
    ] {
        say(guest.connect_raw(), &bytes);
    }
    let mut session = guest.connect();
    assert_eq!(session.run(exec(&["echo", "here"]), b"").out, "here\n");
    drop(session);
    let events = guest.end();
    let notes =
        events.iter().filter(|event| matches!(event, Event::Note(text) if text.text.starts_with(b"the session")));
    assert!(notes.count() >= 4, "{events:?}");
}

#[test]
fn requests_that_make_no_sense_are_refused_one_by_one() {
    let guest = Guest::idle();
    let mut stream = guest.connect_raw();
    let mut bytes = hello();
    let requests: [&[u8]; 4] =
        [b"x", br#"{"exec":{"argv":[]}}"#, br#"{"run":{}}"#, br#"{"exec":{"argv":["true"],"x":1}}"#];
    for (number, json) in (1..).zip(requests) {
        bytes.extend(frame(number, Message::Open(json, Part::Last)));
    }
    stream.write_all(&bytes).expect("it reads");
    stream.shutdown(std::net::Shutdown::Write).expect("a socket");
    let said = say(stream, b"");
    let resets = said.windows(12).filter(|window| window[..4] == [10, 0, 0, 0] && window[5..8] == [0; 3]).count();
    assert_eq!(resets, requests.len());
    guest.end();
}

#[test]
fn hosts_that_cut_off_or_say_nothing_hold_nothing_up() {
    let guest = Guest::idle();
    let silent = guest.connect_raw();
    let whole = [hello(), frame(1, Message::Open(br#"{"exec":{"argv":["sleep","1000"]}}"#, Part::Last))].concat();
    for end in (0..whole.len()).step_by(7) {
        let mut stream = guest.connect_raw();
        stream.write_all(&whole[..end]).expect("it reads");
        drop(stream);
    }
    let mut session = guest.connect();
    assert_eq!(session.run(exec(&["echo", "here"]), b"").out, "here\n");
    drop(silent);
    guest.end();
}

#[test]
fn a_port_has_one_session_after_the_other() {
    let (guest, port) = Guest::on_port(workload(&["sh", "-c", "cat; exit 3"]));
    let mut session = Session::begin_on_port(port, 1);
    let (attached, running) = (session.attach(), session.exec(exec(&["sh", "-c", "echo $$; exec sleep 1111"])));
    let pid = session.read_until(running, Flow::Stdout, "\n");
    session.write(attached, b"first\n");
    session.read_until(attached, Flow::Stdout, "first\n");
    // The next one ends the one before, and its programs, and the workload goes on.
    let mut session = Session::begin_on_port(session.leave(), 2);
    assert_ne!(session.run(exec(&["kill", "-0", pid.trim()]), b"").exit, Exit::Code(0));
    let attached = session.attach();
    session.write(attached, b"second\n");
    session.read_until(attached, Flow::Stdout, "second\n");
    // So does the one behind CLOSE.
    session.close();
    let mut session = Session::begin_on_port(session.leave(), 3);
    let attached = session.attach();
    session.finish(attached);
    assert_eq!(session.outcome(attached).exit, Exit::Code(3));
    session.closed();
    guest.wait();
}
