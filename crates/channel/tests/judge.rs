//! A second opinion: both ends once more, in Python, written from `docs/channel.md` alone.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use nex_channel::{
    Exit, Flow, Frame, GivenUp, Guest, GuestEvent, GuestOptions, HEADER, HELLO_FRAME, Host, HostEvent, HostOptions,
    Kind, Message, NotStarted, Signal, StreamId, Violation,
};
use nex_contract::{ByteString, Exec, Request, Stdin, TarLink, TarOut};

const WINDOW: u32 = 4096;
const ROOM: usize = 2000;

/// A judge in a role, and the other end of its socket; `None`, with a note, where Python is missing.
fn judge(role: &str, fault: &str) -> Option<(Child, UnixStream)> {
    let (ours, its) = UnixStream::pair().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judge.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(role).arg(fault).stdin(OwnedFd::from(its)).stderr(Stdio::piped());
    match command.spawn() {
        Ok(child) => Some((child, ours)),
        Err(error) => {
            eprintln!("LEFT OUT: what Python says of the channel: {error}");
            None
        }
    }
}

/// Whether the judge has no objection, and what it says.
fn verdict(child: Child) -> (bool, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn copy() -> Request {
    let argv = vec![ByteString::new("copy").unwrap(), ByteString::new(*b"\xff").unwrap()];
    Request::Exec(Exec { argv, stdin: Stdin::Stream, ..Exec::default() })
}

/// What came of a stream.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    out: Vec<u8>,
    err: Vec<u8>,
    end: Option<HostEvent>,
}

/// Runs requests of ours one after the other, with this input.
fn ask(socket: &mut UnixStream, requests: &[Request], input: &[u8], chunk: usize) -> Result<Vec<Outcome>, Violation> {
    let mut host = Host::new(HostOptions { window: WINDOW, session: 77, ..HostOptions::default() });
    let (mut outcomes, mut stream, mut left) = (Vec::<Outcome>::new(), None, input);
    let (mut out, mut buffer) = (Vec::new(), vec![0; chunk]);
    loop {
        if let Some(stream) = stream {
            left = &left[host.send(stream, left)..];
            if left.is_empty() {
                host.finish(stream);
            }
        }
        out.clear();
        host.transmit(&mut out, ROOM);
        // Who has found a fault hangs up; what it has sent can still be read.
        let _ = socket.write_all(&out);
        if !out.is_empty() {
            continue;
        }
        let count = socket.read(&mut buffer).unwrap_or(0);
        let mut bytes = &buffer[..count];
        if count == 0 {
            panic!("it hangs up before CLOSE");
        }
        while let Some(event) = host.receive(&mut bytes)? {
            match event {
                HostEvent::Ready(version) => assert_eq!(version, 1),
                HostEvent::Opened(_) | HostEvent::Eof(..) => continue,
                HostEvent::Data(id, flow) => {
                    let outcome = outcomes.last_mut().unwrap();
                    let to = if flow == Flow::Stdout { &mut outcome.out } else { &mut outcome.err };
                    let held = host.held(id, flow).to_vec();
                    to.extend(&held);
                    host.consume(id, flow, held.len());
                    continue;
                }
                end @ (HostEvent::Exit(..) | HostEvent::Reset(..)) => outcomes.last_mut().unwrap().end = Some(end),
                HostEvent::Closed => {
                    out.clear();
                    host.transmit(&mut out, ROOM);
                    let _ = socket.write_all(&out);
                    let _ = socket.shutdown(Shutdown::Write);
                    // Nothing comes behind CLOSE.
                    let mut rest = bytes.to_vec();
                    let _ = socket.read_to_end(&mut rest);
                    return host.receive(&mut &rest[..]).map(|_| outcomes);
                }
            }
            let Some(request) = requests.get(outcomes.len()) else {
                host.close();
                continue;
            };
            stream = Some(host.open(request).unwrap());
            left = input;
            outcomes.push(Outcome::default());
        }
    }
}

#[test]
fn a_guest_in_python_does_what_our_host_asks() {
    let Some((child, mut socket)) = judge("guest", "") else { return };
    let input: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let tar = Request::TarOut(TarOut { path: ByteString::new("/etc").unwrap(), link: TarLink::Kept });
    let outcomes = ask(&mut socket, &[copy(), copy(), tar], &input, 777).unwrap();
    drop(socket);
    assert_eq!(verdict(child), (true, String::new()));
    let id = |number| StreamId::new(number).unwrap();
    let run = |number| Outcome {
        out: input.clone(),
        err: b"100000".to_vec(),
        end: Some(HostEvent::Exit(id(number), Exit::Code(7))),
    };
    let refused = Outcome { end: Some(HostEvent::Reset(id(3), "no tars here".into())), ..Outcome::default() };
    assert!(outcomes == [run(1), run(2), refused]);
    // The guest above has said CLOSE first; this one answers.
    let Some((child, mut socket)) = judge("guest", "") else { return };
    assert_eq!(ask(&mut socket, &[copy()], &input, 777).unwrap(), [run(1)]);
    drop(socket);
    assert_eq!(verdict(child), (true, String::new()));
}

#[test]
fn our_host_objects_to_a_guest_that_breaks_a_rule() {
    let stream = StreamId::new(1).unwrap();
    for (fault, kind) in [
        ("magic", Violation::NoHello),
        ("reserved", Violation::Reserved(Kind::Opened)),
        ("over-window", Violation::OverWindow(stream, Flow::Stdout)),
        ("over-credit", Violation::OverCredit(stream, Flow::Stdin)),
        ("early-exit", Violation::OutOfPlace(Kind::Exit, stream)),
        ("wrong-flow", Violation::BadFlow(Kind::Eof, 0)),
        ("behind-close", Violation::BehindClose),
    ] {
        let Some((child, mut socket)) = judge("guest", fault) else { return };
        let tar = Request::TarOut(TarOut { path: ByteString::new("/etc").unwrap(), link: TarLink::Kept });
        assert_eq!(ask(&mut socket, &[copy(), tar], b"some input", 1 << 16), Err(kind), "{fault}");
        drop(socket);
        child.wait_with_output().unwrap();
    }
}

/// What of our guest's bytes is damaged.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// The byte at this place.
    Byte(usize),
    /// One of the program's output.
    Content,
}

impl Damage {
    /// Damages bytes that stand behind so many others.
    fn harm(self, before: usize, bytes: &mut [u8]) {
        let place = match self {
            Self::Byte(place) => place.checked_sub(before),
            Self::Content => bytes.windows(4).position(|bytes| bytes == [100, 101, 102, 103]),
        };
        if let Some(byte) = place.and_then(|place| bytes.get_mut(place)) {
            *byte ^= 0x40;
        }
    }
}

/// Who says CLOSE first.
#[derive(Clone, Copy, PartialEq)]
enum First {
    Host,
    /// The guest, when this many programs have run.
    GuestBehind(u32),
}

/// Does as a program that copies its input, until the session is closed or the other end hangs up.
fn serve(socket: &mut UnixStream, first: First, damage: Option<Damage>) -> Result<(), Violation> {
    let mut guest = Guest::new(GuestOptions { window: WINDOW, ..GuestOptions::default() });
    let mut running: Option<(StreamId, usize)> = None;
    let (mut out, mut buffer, mut written, mut runs) = (Vec::new(), [0; 777], 0, 0);
    loop {
        if let Some((stream, count)) = &mut running {
            let held = guest.held(*stream).to_vec();
            let taken = guest.send(*stream, Flow::Stdout, &held);
            guest.consume(*stream, taken);
            *count += taken;
            if guest.has_ended(*stream) {
                guest.send(*stream, Flow::Stderr, count.to_string().as_bytes());
                guest.exit(*stream, Exit::Code(7));
                running = None;
                runs += 1;
                if first == First::GuestBehind(runs) {
                    guest.close();
                }
            }
        }
        out.clear();
        guest.transmit(&mut out, ROOM);
        if let Some(damage) = damage {
            damage.harm(written, &mut out);
        }
        written += out.len();
        let _ = socket.write_all(&out);
        if !out.is_empty() {
            continue;
        }
        let count = socket.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return Ok(());
        }
        let mut bytes = &buffer[..count];
        while let Some(event) = guest.receive(&mut bytes)? {
            match event {
                GuestEvent::Request(stream, request) => {
                    assert_eq!(request, copy());
                    guest.accept(stream);
                    running = Some((stream, 0));
                }
                GuestEvent::Closed => assert!(!guest.has_session()),
                _ => {}
            }
        }
    }
}

#[test]
fn our_guest_does_what_a_host_in_python_asks() {
    for (first, mode) in [(First::Host, ""), (First::GuestBehind(2), ""), (First::GuestBehind(2), "waits-for-close")] {
        let Some((child, mut socket)) = judge("host", mode) else { return };
        assert_eq!(serve(&mut socket, first, None), Ok(()));
        drop(socket);
        assert_eq!(verdict(child), (true, String::new()), "{mode}");
    }
}

/// Requests in no form of the page are refused one by one, and the session goes on.
#[test]
fn our_guest_refuses_what_a_host_in_python_takes_for_no_request() {
    let Some((child, mut socket)) = judge("host", "other-forms") else { return };
    assert_eq!(serve(&mut socket, First::Host, None), Ok(()));
    drop(socket);
    assert_eq!(verdict(child), (true, String::new()));
    // The judge sees one that is taken all the same.
    let Some((child, mut socket)) = judge("host", "other-forms-and-a-right-one") else { return };
    let served = serve(&mut socket, First::Host, None);
    drop(socket);
    let (is_content, words) = verdict(child);
    assert!(!is_content && words.contains("judge: kind 3 where RESET was to come"), "{words} {served:?}");
}

/// Writes what waits, and hears the next event.
fn exchange(host: &mut Host, socket: &mut UnixStream) -> Result<HostEvent, Violation> {
    let (mut out, mut buffer) = (Vec::new(), [0; 777]);
    host.transmit(&mut out, usize::MAX);
    socket.write_all(&out).unwrap();
    loop {
        let count = socket.read(&mut buffer).unwrap();
        assert!(count > 0, "it hangs up");
        if let Some(event) = host.receive(&mut &buffer[..count])? {
            return Ok(event);
        }
    }
}

/// A guest that has the first part of a request alone: it may confirm in both ways that the request is given up, and may not refuse it yet.
#[test]
fn half_of_a_request_is_confirmed_and_not_refused() {
    let stream = StreamId::new(1).unwrap();
    for (fault, expected) in [
        ("confirms-by-exit", Ok(HostEvent::Exit(stream, Exit::Code(7)))),
        ("confirms-by-reset", Ok(HostEvent::Reset(stream, "given up".into()))),
        ("refuses-early", Err(Violation::OutOfPlace(Kind::Reset, stream))),
    ] {
        let Some((child, mut socket)) = judge("guest", fault) else { return };
        let mut host = Host::new(HostOptions { session: 77, ..HostOptions::default() });
        assert_eq!(exchange(&mut host, &mut socket), Ok(HostEvent::Ready(1)));
        let argv = vec![ByteString::new("x".repeat(50_000)).unwrap()];
        assert_eq!(host.open(&Request::Exec(Exec { argv, ..Exec::default() })).unwrap(), stream);
        let mut out = Vec::new();
        host.transmit(&mut out, 10_000);
        socket.write_all(&out).unwrap();
        if expected.is_ok() {
            assert_eq!(host.reset(stream, "enough"), GivenUp::Awaited);
            assert_eq!(exchange(&mut host, &mut socket), expected, "{fault}");
            drop(socket);
            assert_eq!(verdict(child), (true, String::new()), "{fault}");
            continue;
        }
        let mut buffer = [0; 777];
        let count = socket.read(&mut buffer).unwrap();
        assert_eq!(host.receive(&mut &buffer[..count]).map(drop), expected.map(drop), "{fault}");
        drop(socket);
        child.wait_with_output().unwrap();
    }
}

#[test]
fn our_guest_objects_to_a_host_that_breaks_a_rule() {
    let stream = StreamId::new(3).unwrap();
    for (fault, kind) in [
        ("magic", Violation::NoHello),
        ("reserved", Violation::Reserved(Kind::Open)),
        ("early-data", Violation::OutOfPlace(Kind::Data, stream)),
        ("number", Violation::NumberReused(stream)),
        ("behind-close", Violation::BehindClose),
    ] {
        let Some((child, mut socket)) = judge("host", fault) else { return };
        assert_eq!(serve(&mut socket, First::Host, None), Err(kind), "{fault}");
        drop(socket);
        child.wait_with_output().unwrap();
    }
}

/// The judge sees damage: of the headers and of content.
#[test]
fn the_judge_objects_to_damage() {
    let opened = HELLO_FRAME;
    // Kind, flow, reserved field, stream and length of the first frame behind HELLO.
    let fields = [0, 1, 2, 5, 9].map(|field| Damage::Byte(opened + field));
    for damage in [&fields[..], &[Damage::Byte(HEADER), Damage::Content]].concat() {
        let Some((child, mut socket)) = judge("host", "") else { return };
        let served = serve(&mut socket, First::Host, Some(damage));
        drop(socket);
        let (is_content, words) = verdict(child);
        assert!(!is_content && words.contains("judge: "), "{damage:?}: {words} {served:?}");
    }
}

/// Frames that the session above does not have are as documented.
#[test]
fn short_frames_have_the_documented_bytes() {
    let stream = StreamId::new(0x0102).unwrap();
    let size = nex_contract::TerminalSize { rows: 24, columns: 80 };
    let signal = Signal::new(15).unwrap();
    let not_started = Exit::NotStarted { code: NotStarted::NotFound, reason: "no".into() };
    for (message, expected) in [
        (Message::Signal(signal), &b"\x07\0\0\0\x02\x01\0\0\x04\0\0\0\x0f\0\0\0"[..]),
        (Message::Resize(size), b"\x08\0\0\0\x02\x01\0\0\x04\0\0\0\x18\0\x50\0"),
        (Message::Exit(Exit::Signal(signal)), b"\x09\0\0\0\x02\x01\0\0\x04\0\0\0\x01\x0f\0\0"),
        (Message::Exit(not_started), b"\x09\0\0\0\x02\x01\0\0\x06\0\0\0\x02\x7f\0\0no"),
        (Message::Reset("bye".into()), b"\x0a\0\0\0\x02\x01\0\0\x03\0\0\0bye"),
        (Message::Credit(Flow::Stderr, 258), b"\x06\x02\0\0\x02\x01\0\0\x04\0\0\0\x02\x01\0\0"),
    ] {
        let mut bytes = Vec::new();
        Frame { stream, message }.encode(&mut bytes);
        assert_eq!(bytes, expected);
    }
}
