//! Every frame at every point of a stream: what has no place there is an error, and changes nothing that could grow.

mod close;
mod copied;

use nex_channel::{
    Carrier, Exit, Flow, Frame, Guest, GuestEvent, GuestOptions, HEADER, Hello, Host, HostOptions, Kind, MAX_PAYLOAD,
    MAX_STREAMS, Message, PADDING, Part, Signal, StreamId, Violation,
};
use nex_contract::{ByteString, Exec, MAX_REQUEST, Request, Stdin, TerminalSize};

const WINDOW: u32 = 1000;
const JSON: &[u8] = br#"{"exec":{"argv":["x"],"stdin":"stream"}}"#;

fn id(number: u32) -> StreamId {
    StreamId::new(number).unwrap()
}

/// A message of each kind and flow, with the letter that stands for it.
fn messages() -> Vec<(char, Message<'static>)> {
    vec![
        ('q', Message::Open(JSON, Part::More)),
        ('Q', Message::Open(JSON, Part::Last)),
        ('O', Message::Opened),
        ('0', Message::Data(Flow::Stdin, b"x")),
        ('1', Message::Data(Flow::Stdout, b"x")),
        ('2', Message::Data(Flow::Stderr, b"x")),
        ('a', Message::Eof(Flow::Stdin)),
        ('b', Message::Eof(Flow::Stdout)),
        ('c', Message::Eof(Flow::Stderr)),
        ('i', Message::Credit(Flow::Stdin, 1)),
        ('j', Message::Credit(Flow::Stdout, 1)),
        ('k', Message::Credit(Flow::Stderr, 1)),
        ('S', Message::Signal(Signal::new(1).unwrap())),
        ('R', Message::Resize(TerminalSize::default())),
        ('E', Message::Exit(Exit::Code(0))),
        ('X', Message::Reset("x".into())),
    ]
}

fn bytes(stream: u32, message: Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame { stream: id(stream), message }.encode(&mut bytes);
    bytes
}

fn hello(session: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    Hello { version: 1, window: WINDOW, session }.encode(&mut bytes);
    bytes
}

/// What a host says first on a port.
fn padded(session: u64) -> Vec<u8> {
    [vec![0; PADDING], hello(session)].concat()
}

fn to_guest(guest: &mut Guest, bytes: &[u8]) -> Result<Vec<GuestEvent>, Violation> {
    let (mut input, mut events) = (bytes, Vec::new());
    while let Some(event) = guest.receive(&mut input)? {
        events.push(event);
    }
    Ok(events)
}

fn to_host(host: &mut Host, bytes: &[u8]) -> Result<usize, Violation> {
    let (mut input, mut count) = (bytes, 0);
    while host.receive(&mut input)?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// What both ends have to say.
fn said(transmit: impl FnOnce(&mut Vec<u8>, usize)) -> Vec<u8> {
    let mut out = Vec::new();
    transmit(&mut out, usize::MAX);
    out
}

/// The letters of the messages that an end takes, each as the first one at some point, for a stream of this number.
fn taken(stream: u32, mut take: impl FnMut(&[u8]) -> bool) -> String {
    messages()
        .into_iter()
        .filter(|(_, message)| take(&bytes(stream, message.clone())))
        .map(|(letter, _)| letter)
        .collect()
}

/// A guest at a point of stream 2, which is the second one; the first one has ended.
fn guest_at(point: &str) -> Guest {
    let mut guest = Guest::new(GuestOptions { window: WINDOW, ..GuestOptions::default() });
    to_guest(&mut guest, &hello(1)).unwrap();
    to_guest(&mut guest, &bytes(1, Message::Open(JSON, Part::Last))).unwrap();
    guest.refuse(id(1), "no");
    said(|out, room| guest.transmit(out, room));
    if point == "new" {
        return guest;
    }
    to_guest(&mut guest, &bytes(2, Message::Open(&JSON[..3], Part::More))).unwrap();
    if point == "opening" {
        return guest;
    }
    to_guest(&mut guest, &bytes(2, Message::Open(&JSON[3..], Part::Last))).unwrap();
    if point == "asked" {
        return guest;
    }
    guest.accept(id(2));
    for flow in [Flow::Stdout, Flow::Stderr] {
        guest.send(id(2), flow, b"output");
    }
    said(|out, room| guest.transmit(out, room));
    match point {
        "opened" => {}
        "input ended" => drop(to_guest(&mut guest, &bytes(2, Message::Eof(Flow::Stdin))).unwrap()),
        "window full" => {
            drop(to_guest(&mut guest, &bytes(2, Message::Data(Flow::Stdin, &[0; WINDOW as usize]))).unwrap());
        }
        "given up" => drop(to_guest(&mut guest, &bytes(2, Message::Reset(String::new()))).unwrap()),
        "exit waits" => {
            guest.send(id(2), Flow::Stdout, &[0; WINDOW as usize]);
            guest.exit(id(2), Exit::Code(0));
            said(|out, room| guest.transmit(out, room));
        }
        "ended" => {
            guest.exit(id(2), Exit::Code(0));
            said(|out, room| guest.transmit(out, room));
        }
        _ => panic!("{point}"),
    }
    guest
}

#[test]
fn a_guest_takes_what_has_its_place_and_nothing_else() {
    for (point, legal) in [
        ("new", "qQ"),
        // A request that makes no sense is taken, and refused.
        ("opening", "qQX"),
        ("asked", "0aSRX"),
        ("opened", "0ajkSRX"),
        ("input ended", "jkSRX"),
        ("window full", "ajkSRX"),
        ("given up", ""),
        ("exit waits", "0ajkSRX"),
        // Those may have crossed its end.
        ("ended", "012abcijkSRX"),
    ] {
        let take = |frame: &[u8]| {
            let mut guest = guest_at(point);
            let before = to_guest(&mut guest, frame);
            let is_taken = before.is_ok();
            assert!(is_taken || to_guest(&mut guest, b"").as_ref() == Err(before.as_ref().unwrap_err()));
            assert!(is_taken || said(|out, room| guest.transmit(out, room)).is_empty(), "{point}: it goes on");
            is_taken
        };
        assert_eq!(taken(2, take), legal, "{point}");
    }
    // Of the stream before, all that no number is needed for.
    let take = |frame: &[u8]| to_guest(&mut guest_at("opened"), frame).is_ok();
    assert_eq!(taken(1, take), "012abcijkSRX");
    assert_eq!(taken(3, take), "qQ");
    let take = |frame: &[u8]| to_guest(&mut guest_at("opening"), frame).is_ok();
    assert_eq!(taken(3, take), "", "one request at a time");
    let take = |frame: &[u8]| to_guest(&mut Guest::new(GuestOptions::default()), frame).is_ok();
    assert_eq!(taken(1, take), "", "no HELLO");
}

/// A host at a point of stream 2, which is the second one; the first one has ended.
fn host_at(point: &str) -> Host {
    let mut host = Host::new(HostOptions { window: WINDOW, ..HostOptions::default() });
    to_host(&mut host, &hello(0)).unwrap();
    let argv = ByteString::new(vec![b'x'; 50_000]).into_iter().collect();
    let request = Request::Exec(Exec { argv, stdin: Stdin::Stream, ..Exec::default() });
    let first = host.open(&request).unwrap();
    said(|out, room| host.transmit(out, room));
    to_host(&mut host, &bytes(first.get(), Message::Reset(String::new()))).unwrap();
    let second = host.open(&request).unwrap();
    match point {
        "not sent" => return host,
        "half sent" => {
            host.transmit(&mut Vec::new(), 10_000);
            return host;
        }
        "given up half sent" => {
            host.transmit(&mut Vec::new(), 10_000);
            host.reset(second, "enough");
            return host;
        }
        _ => {}
    }
    host.send(second, b"input");
    said(|out, room| host.transmit(out, room));
    let mut hear = |message| {
        to_host(&mut host, &bytes(2, message)).unwrap();
    };
    match point {
        "asked" => {}
        "given up" => drop(host.reset(second, "enough")),
        _ => {
            hear(Message::Opened);
            match point {
                "opened" => {}
                "window full" => hear(Message::Data(Flow::Stdout, &[0; WINDOW as usize])),
                "an output ended" => hear(Message::Eof(Flow::Stdout)),
                "both outputs ended" => {
                    hear(Message::Eof(Flow::Stdout));
                    hear(Message::Eof(Flow::Stderr));
                }
                "ended" => {
                    hear(Message::Data(Flow::Stdout, b"held"));
                    hear(Message::Eof(Flow::Stdout));
                    hear(Message::Eof(Flow::Stderr));
                    hear(Message::Exit(Exit::Code(0)));
                }
                _ => panic!("{point}"),
            }
        }
    }
    host
}

#[test]
fn a_host_takes_what_has_its_place_and_nothing_else() {
    for (point, legal) in [
        ("not sent", ""),
        ("half sent", ""),
        ("given up half sent", "EX"),
        ("asked", "OX"),
        ("opened", "12bciX"),
        ("window full", "2bciX"),
        ("an output ended", "2ciX"),
        ("both outputs ended", "iEX"),
        ("given up", "OEX"),
        ("ended", ""),
    ] {
        let take = |frame: &[u8]| {
            let mut host = host_at(point);
            let before = to_host(&mut host, frame);
            assert!(before.is_ok() || to_host(&mut host, b"") == before);
            assert!(before.is_ok() || said(|out, room| host.transmit(out, room)).is_empty(), "{point}: it goes on");
            before.is_ok()
        };
        assert_eq!(taken(2, take), legal, "{point}");
    }
    let take = |frame: &[u8]| to_host(&mut host_at("opened"), frame).is_ok();
    assert_eq!((taken(1, take), taken(3, take)), (String::new(), String::new()));
}

#[test]
fn headers_that_cannot_be_are_errors() {
    let right = bytes(2, Message::Data(Flow::Stdin, b"x"));
    let with = |changes: &[(usize, u8)]| {
        let mut bytes = right.clone();
        changes.iter().for_each(|(place, byte)| bytes[*place] = *byte);
        to_guest(&mut guest_at("opened"), &bytes)
    };
    assert!(with(&[]).is_ok());
    for kind in (0..=u8::MAX).filter(|kind| !Kind::ALL.iter().any(|known| known.number() == *kind)) {
        assert_eq!(with(&[(0, kind)]), Err(Violation::UnknownKind(kind)));
    }
    for (place, violation) in [
        (1, Violation::BadFlow(Kind::Data, 3)),
        (2, Violation::Reserved(Kind::Data)),
        (3, Violation::Reserved(Kind::Data)),
    ] {
        assert_eq!(with(&[(place, 3)]), Err(violation));
    }
    assert_eq!(with(&[(4, 0)]), Err(Violation::BadStream(Kind::Data, 0)));
    assert_eq!(with(&[(8, 0)]), Err(Violation::BadLength(Kind::Data, 0)));
    assert_eq!(with(&[(11, 1)]), Err(Violation::BadLength(Kind::Data, 0x0100_0001)));
    assert_eq!(to_guest(&mut guest_at("opened"), &hello(1)), Err(Violation::SecondHello));
    let payload = |kind: Kind, payload: &[u8]| {
        let header = [kind.number(), 0, 0, 0, 2, 0, 0, 0, payload.len() as u8, 0, 0, 0];
        let frame = [&header[..], payload].concat();
        let guest = to_guest(&mut guest_at("opened"), &frame).err();
        guest.or(to_host(&mut host_at("both outputs ended"), &frame).err())
    };
    for (kind, bytes) in [
        (Kind::Signal, &[0, 0, 0, 0][..]),
        (Kind::Signal, &[65, 0, 0, 0]),
        (Kind::Signal, &[1, 1, 0, 0]),
        (Kind::Credit, &[0, 0, 0, 0]),
        (Kind::Exit, &[3, 0, 0, 0]),
        (Kind::Exit, &[0, 0, 0, 0, b'x']),
        (Kind::Exit, &[0, 0, 1, 0]),
        (Kind::Exit, &[1, 0, 0, 0]),
        (Kind::Exit, &[1, 65, 0, 0]),
        (Kind::Exit, &[2, 124, 0, 0]),
        (Kind::Exit, &[2, 125, 0, 0, 0xff]),
        (Kind::Reset, &[0xff]),
    ] {
        assert_eq!(payload(kind, bytes), Some(Violation::BadPayload(kind)), "{bytes:?}");
    }
}

#[test]
fn limits_of_requests_and_streams_hold() {
    let mut guest = guest_at("opening");
    let part = vec![b' '; MAX_PAYLOAD];
    let mut sent = 3;
    while sent + MAX_PAYLOAD <= MAX_REQUEST {
        to_guest(&mut guest, &bytes(2, Message::Open(&part, Part::More))).unwrap();
        sent += MAX_PAYLOAD;
    }
    let over = to_guest(&mut guest, &bytes(2, Message::Open(&part, Part::Last)));
    assert_eq!(over, Err(Violation::LongRequest(id(2))));

    let mut guest = guest_at("new");
    for number in 2..2 + MAX_STREAMS as u32 {
        to_guest(&mut guest, &bytes(number, Message::Open(JSON, Part::Last))).unwrap();
    }
    let over = to_guest(&mut guest, &bytes(900, Message::Open(JSON, Part::Last)));
    assert_eq!(over, Err(Violation::TooManyStreams));

    // Refusals that nobody reads count as open.
    let mut guest = guest_at("new");
    let refused = (2..).map_while(|number| to_guest(&mut guest, &bytes(number, Message::Open(b"x", Part::Last))).ok());
    assert_eq!(refused.filter(Vec::is_empty).count(), MAX_STREAMS);
}

#[test]
fn a_request_that_is_not_understood_is_refused_alone() {
    let mut guest = guest_at("new");
    let events = to_guest(&mut guest, &bytes(2, Message::Open(br#"{"exec":{"argv":[]}}"#, Part::Last)));
    assert_eq!(events, Ok(Vec::new()));
    let said = said(|out, room| guest.transmit(out, room));
    assert_eq!(said, bytes(2, Message::Reset("the request names no program".into())));
    assert!(matches!(
        &to_guest(&mut guest, &bytes(3, Message::Open(JSON, Part::Last))).unwrap()[..],
        [GuestEvent::Request(..)]
    ));
}

#[test]
fn versions_are_negotiated() {
    let answer = |version: u16| {
        let mut guest = Guest::new(GuestOptions::default());
        let mut bytes = Vec::new();
        Hello { version, window: 1, session: 3 }.encode(&mut bytes);
        let events = to_guest(&mut guest, &bytes);
        events.map(|events| (events, said(|out, room| guest.transmit(out, room))[HEADER + 8]))
    };
    for version in [1, 2, u16::MAX] {
        assert_eq!(answer(version), Ok((vec![GuestEvent::Ready(1)], 1)));
    }
    assert_eq!(answer(0), Err(Violation::NoHello));
    let mut bytes = Vec::new();
    Hello { version: 2, window: 1, session: 0 }.encode(&mut bytes);
    assert_eq!(to_host(&mut Host::new(HostOptions::default()), &bytes), Err(Violation::Version(2)));
    // Another session's answer.
    assert_eq!(to_host(&mut Host::new(HostOptions::default()), &hello(1)), Err(Violation::NoHello));
}

#[test]
fn a_guest_on_a_port_begins_anew_behind_a_violation() {
    let mut guest = Guest::new(GuestOptions { carrier: Carrier::Port, ..GuestOptions::default() });
    let frames = [padded(1), bytes(1, Message::Open(JSON, Part::Last)), padded(2)].concat();
    let mut input = &frames[..];
    assert_eq!(guest.receive(&mut input), Ok(Some(GuestEvent::Ready(1))));
    assert!(matches!(guest.receive(&mut input), Ok(Some(GuestEvent::Request(..)))));
    assert_eq!(guest.receive(&mut input), Err(Violation::UnknownKind(0)));
    assert_eq!(guest.receive(&mut input), Ok(Some(GuestEvent::Ready(1))));
    // Numbers begin anew, too.
    assert_eq!(to_guest(&mut guest, &bytes(1, Message::Open(JSON, Part::Last))).unwrap().len(), 1);
}
