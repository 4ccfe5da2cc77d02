//! Streams and flows share a carrier: none keeps another waiting, and what waits is bounded.

use nex_channel::{
    Carrier, Exit, Flow, Guest, GuestEvent, GuestOptions, Host, HostEvent, HostOptions, MAX_SIGNALS, MIN_ROOM, Signal,
    StreamId,
};
use nex_contract::{ByteString, Exec, Request, Stdin, TarLink, TarOut, TerminalSize};

fn session() -> (Host, Guest) {
    let (mut host, mut guest) = (Host::new(HostOptions::default()), Guest::new(GuestOptions::default()));
    for _ in 0..2 {
        exchange(&mut host, &mut guest);
    }
    (host, guest)
}

fn open(host: &mut Host) -> StreamId {
    let argv = vec![ByteString::new("x").unwrap()];
    host.open(&Request::Exec(Exec { argv, stdin: Stdin::Stream, ..Exec::default() })).unwrap()
}

/// Carries all that waits, both ways, and gives what happened.
fn exchange(host: &mut Host, guest: &mut Guest) -> (Vec<GuestEvent>, Vec<HostEvent>) {
    let (mut at_guest, mut at_host) = (Vec::new(), Vec::new());
    let mut bytes = Vec::new();
    host.transmit(&mut bytes, usize::MAX);
    let mut input = &bytes[..];
    at_guest.extend(std::iter::from_fn(|| guest.receive(&mut input).unwrap()));
    let mut bytes = Vec::new();
    guest.transmit(&mut bytes, usize::MAX);
    let mut input = &bytes[..];
    at_host.extend(std::iter::from_fn(|| host.receive(&mut input).unwrap()));
    (at_guest, at_host)
}

#[test]
fn a_flow_that_nobody_reads_keeps_no_other_waiting() {
    let (mut host, mut guest) = session();
    let (stalled, other) = (open(&mut host), open(&mut host));
    exchange(&mut host, &mut guest);
    for stream in [stalled, other] {
        guest.accept(stream);
    }
    let megabyte = vec![7; 1 << 20];
    let (mut sent, mut taken) = ([0; 2], 0);
    for _ in 0..40 {
        sent[0] += guest.send(stalled, Flow::Stdout, &megabyte);
        sent[1] += guest.send(other, Flow::Stdout, &megabyte);
        exchange(&mut host, &mut guest);
        while !host.held(other, Flow::Stdout).is_empty() {
            let count = host.held(other, Flow::Stdout).len();
            host.consume(other, Flow::Stdout, count);
            taken += count;
        }
    }
    assert_eq!(sent[0], 2 * nex_channel::WINDOW as usize);
    assert!(taken > 5 << 20, "{taken}");
    // Its other output, a signal and its end pass it by.
    guest.send(stalled, Flow::Stderr, b"still here");
    assert!(host.signal(stalled, Signal::new(2).unwrap()));
    let (at_guest, at_host) = exchange(&mut host, &mut guest);
    assert!(at_guest.contains(&GuestEvent::Signal(stalled, Signal::new(2).unwrap())));
    assert!(at_host.contains(&HostEvent::Data(stalled, Flow::Stderr)));
    host.reset(stalled, "enough");
    let (at_guest, _) = exchange(&mut host, &mut guest);
    assert_eq!(at_guest, [GuestEvent::Reset(stalled, "enough".into())]);
    guest.exit(stalled, Exit::Code(1));
    assert_eq!(exchange(&mut host, &mut guest).1, [HostEvent::Exit(stalled, Exit::Code(1))]);
}

#[test]
fn a_flood_on_many_streams_starves_no_keystroke() {
    let (mut host, mut guest) = session();
    let streams: Vec<StreamId> = (0..nex_channel::MAX_STREAMS).map(|_| open(&mut host)).collect();
    assert!(matches!(
        host.open(&Request::TarOut(TarOut { path: ByteString::new("/").unwrap(), link: TarLink::Kept })),
        Err(nex_channel::OpenError::TooManyStreams)
    ));
    exchange(&mut host, &mut guest);
    let flood = vec![0; nex_channel::WINDOW as usize];
    let (typed, floods) = streams.split_last().unwrap();
    for stream in floods {
        assert_eq!(host.send(*stream, &flood), flood.len());
    }
    let mut bytes = Vec::new();
    host.transmit(&mut bytes, 100_000);
    host.send(*typed, b"k");
    host.signal(*typed, Signal::new(2).unwrap()).then_some(()).unwrap();
    // The signal goes before all that waits, the key when each other stream had one turn.
    let mut before = bytes.len();
    host.transmit(&mut bytes, MIN_ROOM);
    let events = std::iter::from_fn({
        let mut input = &bytes[..];
        let guest = &mut guest;
        move || guest.receive(&mut input).unwrap()
    });
    assert!(events.into_iter().any(|event| event == GuestEvent::Signal(*typed, Signal::new(2).unwrap())));
    let mut rest = Vec::new();
    before = bytes.len() - before;
    while guest.held(*typed) != b"k" {
        rest.clear();
        host.transmit(&mut rest, 64 << 10);
        assert!(!rest.is_empty());
        before += rest.len();
        let mut input = &rest[..];
        while guest.receive(&mut input).unwrap().is_some() {}
    }
    assert!(before <= streams.len() * (nex_channel::MAX_PAYLOAD + 100), "{before} bytes before a key");
}

/// Who sends signals to many streams without a pause keeps neither bytes nor the end of a stream waiting, however little room there is.
#[test]
fn a_flood_of_signals_starves_nobody() {
    for room in [MIN_ROOM, 2 * MIN_ROOM, 8000] {
        let (mut host, mut guest) = session();
        let streams: Vec<StreamId> = (0..nex_channel::MAX_STREAMS).map(|_| open(&mut host)).collect();
        exchange(&mut host, &mut guest);
        let (last, flooded) = streams.split_last().unwrap();
        let (typed, flooded) = flooded.split_last().unwrap();
        host.send(*typed, &[b'k'; 5000]);
        host.reset(*last, &"x".repeat(nex_channel::MAX_TEXT));
        let (mut is_given_up, mut signals) = (false, 0);
        for round in 0.. {
            assert!(round < 200, "{room}: {} bytes have come, and the end: {is_given_up}", guest.held(*typed).len());
            for stream in flooded {
                while host.signal(*stream, Signal::new(15).unwrap()) {}
                host.resize(*stream, TerminalSize { rows: 1, columns: round });
            }
            let mut bytes = Vec::new();
            host.transmit(&mut bytes, room);
            assert!(bytes.len() <= room);
            let mut input = &bytes[..];
            while let Some(event) = guest.receive(&mut input).unwrap() {
                is_given_up |= matches!(event, GuestEvent::Reset(..));
                signals += usize::from(matches!(event, GuestEvent::Signal(..)));
            }
            if is_given_up && guest.held(*typed).len() >= 5000 - 32 {
                break;
            }
        }
        assert!(signals > 100, "{room}: {signals} signals");
    }
}

#[test]
fn what_waits_without_credit_is_bounded() {
    let (mut host, _) = session();
    let stream = open(&mut host);
    let signals = (0..100).filter(|_| host.signal(stream, Signal::new(1).unwrap())).count();
    assert_eq!(signals, MAX_SIGNALS);
    (0..100).for_each(|rows| host.resize(stream, TerminalSize { rows, columns: 1 }));
    let mut bytes = Vec::new();
    host.transmit(&mut bytes, usize::MAX);
    host.transmit(&mut bytes, usize::MAX);
    assert!(bytes.len() < 1000, "{}", bytes.len());
}

#[test]
fn a_port_forgets_an_earlier_session() {
    let mut guest = Guest::new(GuestOptions { carrier: Carrier::Port, ..GuestOptions::default() });
    let mut old = Vec::new();
    for session in 1..4 {
        let mut host = Host::new(HostOptions { carrier: Carrier::Port, session, ..HostOptions::default() });
        let mut bytes = Vec::new();
        host.transmit(&mut bytes, usize::MAX);
        let (mut input, mut events) = (&bytes[..], Vec::new());
        while !input.is_empty() {
            // The violation is the end of the session before.
            events.extend(guest.receive(&mut input).unwrap_or_default());
        }
        assert_eq!(events.last(), Some(&GuestEvent::Ready(1)), "session {session}");
        // The host before has left half of what the guest had said.
        guest.transmit(&mut old, usize::MAX);
        let (mut input, mut events) = (&old[..], Vec::new());
        while let Some(event) = host.receive(&mut input).unwrap() {
            events.push(event);
        }
        assert_eq!(events, [HostEvent::Ready(1)], "session {session}");
        let stream = open(&mut host);
        host.send(stream, &[1; 5000]);
        let mut bytes = Vec::new();
        host.transmit(&mut bytes, usize::MAX);
        // It is cut off in the middle of a frame.
        let mut input = &bytes[..bytes.len() - 2000];
        while let Some(event) = guest.receive(&mut input).unwrap() {
            if let GuestEvent::Request(stream, _) = event {
                guest.send(stream, Flow::Stdout, &[2; 500]);
                guest.accept(stream);
            }
        }
        old.clear();
        guest.transmit(&mut old, usize::MAX);
        old.truncate(old.len() - 100);
    }
}
