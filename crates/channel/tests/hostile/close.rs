//! CLOSE at every point of a stream, from either end.

use nex_channel::{
    CLOSE_FRAME, Carrier, Exit, Flow, Guest, GuestEvent, GuestOptions, HostEvent, Message, Part, Violation,
};

use super::{JSON, bytes, guest_at, hello, host_at, id, padded, said, taken, to_guest, to_host};

const GUESTS_POINTS: [&str; 9] =
    ["new", "opening", "asked", "opened", "input ended", "window full", "given up", "exit waits", "ended"];
const HOSTS_POINTS: [&str; 10] = [
    "not sent",
    "half sent",
    "given up half sent",
    "asked",
    "opened",
    "window full",
    "an output ended",
    "both outputs ended",
    "given up",
    "ended",
];

#[test]
fn a_session_may_be_closed_at_any_point_by_either_end() {
    for point in GUESTS_POINTS {
        let mut guest = guest_at(point);
        assert_eq!(to_guest(&mut guest, &CLOSE_FRAME), Ok(vec![GuestEvent::Closed]), "{point}");
        // All streams are gone with it, and the answer is all that is left to be said.
        assert!(!guest.has_session() && guest.held(id(2)).is_empty() && guest.space(id(2), Flow::Stdout) == 0);
        assert_eq!(said(|out, room| guest.transmit(out, room)), CLOSE_FRAME, "{point}");
        assert!(said(|out, room| guest.transmit(out, room)).is_empty());
        assert_eq!(to_guest(&mut guest, &bytes(9, Message::Open(JSON, Part::Last))), Err(Violation::BehindClose));
    }
    for point in HOSTS_POINTS {
        let mut host = host_at(point);
        let mut input = &CLOSE_FRAME[..];
        assert_eq!(host.receive(&mut input), Ok(Some(HostEvent::Closed)), "{point}");
        assert_eq!(said(|out, room| host.transmit(out, room)), CLOSE_FRAME, "{point}");
        assert_eq!(host.has_ended(id(2), Flow::Stdout), !["window full", "ended"].contains(&point), "{point}");
        assert_eq!(to_host(&mut host, &bytes(2, Message::Reset("x".into()))), Err(Violation::BehindClose));
    }
}

#[test]
fn what_crosses_a_hosts_close_is_dropped() {
    for point in HOSTS_POINTS {
        let closed = || {
            let mut host = host_at(point);
            host.close();
            assert_eq!(said(|out, room| host.transmit(out, room)), CLOSE_FRAME, "{point}");
            host
        };
        let take = |frame: &[u8]| to_host(&mut closed(), frame) == Ok(0);
        assert_eq!(taken(2, take), "O012abcijkEX", "{point}: but what is the host's to send");
        let mut host = closed();
        assert_eq!(to_host(&mut host, &CLOSE_FRAME), Ok(1));
        assert!(said(|out, room| host.transmit(out, room)).is_empty(), "{point}: CLOSE goes once");
    }
}

#[test]
fn a_guest_closes_behind_its_last_stream() {
    let mut guest = guest_at("opened");
    guest.close();
    assert!(said(|out, room| guest.transmit(out, room)).is_empty(), "a stream runs");
    // Further ones are refused meanwhile.
    assert_eq!(to_guest(&mut guest, &bytes(3, Message::Open(JSON, Part::Last))), Ok(Vec::new()));
    let refusal = bytes(3, Message::Reset("the guest ends the session".into()));
    assert_eq!(said(|out, room| guest.transmit(out, room)), refusal);
    guest.exit(id(2), Exit::Code(3));
    let last = [Message::Eof(Flow::Stdout), Message::Eof(Flow::Stderr), Message::Exit(Exit::Code(3))];
    let last: Vec<u8> = last.into_iter().flat_map(|message| bytes(2, message)).collect();
    assert_eq!(said(|out, room| guest.transmit(out, room)), [&last[..], &CLOSE_FRAME].concat());

    let take = |frame: &[u8]| {
        let mut guest = guest_at("ended");
        guest.close();
        said(|out, room| guest.transmit(out, room));
        to_guest(&mut guest, frame) == Ok(Vec::new())
    };
    assert_eq!(taken(4, take), "qQ012abcijkSRX", "what has crossed CLOSE is dropped");
    assert_eq!(to_guest(&mut guest, &CLOSE_FRAME), Ok(vec![GuestEvent::Closed]));
    assert!(said(|out, room| guest.transmit(out, room)).is_empty(), "CLOSE goes once");
}

#[test]
fn a_port_goes_on_behind_close() {
    let mut guest = Guest::new(GuestOptions { carrier: Carrier::Port, ..GuestOptions::default() });
    to_guest(&mut guest, &padded(1)).unwrap();
    said(|out, room| guest.transmit(out, room));
    guest.close();
    assert_eq!(said(|out, room| guest.transmit(out, room)), CLOSE_FRAME);
    // The answer, and what another host says first.
    let bytes = [&CLOSE_FRAME[..], &padded(2)].concat();
    assert_eq!(to_guest(&mut guest, &bytes), Ok(vec![GuestEvent::Closed, GuestEvent::Ready(1)]));
    assert!(guest.has_session());
    // Without a session there is nothing to close.
    let mut guest = Guest::new(GuestOptions::default());
    guest.close();
    to_guest(&mut guest, &hello(1)).unwrap();
    assert!(!said(|out, room| guest.transmit(out, room)).ends_with(&CLOSE_FRAME));
}
