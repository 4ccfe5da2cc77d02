//! Frames inside of what a host copies into a guest.

use nex_channel::{Carrier, Flow, Guest, GuestEvent, GuestOptions, MAX_PAYLOAD, Message, Part, Violation};

use super::{JSON, bytes, hello, padded, to_guest};

/// A guest that begins to read in the middle, as one whose agent was started again, or behind a violation, sees what was copied to the one
/// before.
#[test]
fn what_a_guest_is_sent_begins_no_session() {
    let forged = |zeros: usize| [vec![0; zeros], hello(3), bytes(1, Message::Open(JSON, Part::Last))].concat();
    let longest = MAX_PAYLOAD - forged(0).len();
    let guest = || Guest::new(GuestOptions { carrier: Carrier::Port, ..GuestOptions::default() });
    for zeros in [0, 40, longest] {
        let data = bytes(1, Message::Data(Flow::Stdin, &forged(zeros)));
        // Its header may have come before, but for the zeros that it ends with.
        for cut in 0..=12 {
            assert_eq!(to_guest(&mut guest(), &data[cut..]), Ok(Vec::new()), "{zeros} zeros, cut at {cut}");
        }
        // Zeros of the frame before, which was no longer.
        let before = bytes(1, Message::Data(Flow::Stdin, &[0; MAX_PAYLOAD]));
        assert_eq!(to_guest(&mut guest(), &[&before[..], &data].concat()), Ok(Vec::new()));
        // Behind a violation.
        let mut guest = guest();
        let open = bytes(1, Message::Open(JSON, Part::Last));
        assert_eq!(to_guest(&mut guest, &[padded(1), open].concat()).unwrap().len(), 2);
        assert_eq!(to_guest(&mut guest, &[99; 12]), Err(Violation::UnknownKind(99)));
        assert_eq!(to_guest(&mut guest, &data), Ok(Vec::new()));
        // What a host sends is taken all the same.
        assert_eq!(to_guest(&mut guest, &padded(4)), Ok(vec![GuestEvent::Ready(1)]));
    }
    // A host whose zeros end the frame of the one before, wherever that was cut off.
    for cut in [1, 11, 12, 13, 100] {
        let mut guest = guest();
        let open = bytes(1, Message::Open(JSON, Part::Last));
        let data = bytes(1, Message::Data(Flow::Stdin, &[7; MAX_PAYLOAD]));
        let mut stream = &[&padded(1)[..], &open, &data[..cut], &padded(2)].concat()[..];
        let mut events = Vec::new();
        while !stream.is_empty() {
            events.extend(guest.receive(&mut stream).unwrap_or_default());
        }
        assert_eq!(events.iter().filter(|event| **event == GuestEvent::Ready(1)).count(), 2, "{cut}: {events:?}");
        assert_eq!(events.last(), Some(&GuestEvent::Ready(1)), "{cut}");
    }
}
