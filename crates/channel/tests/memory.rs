//! How much memory an end holds for another that sends and does not read.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use nex_channel::{
    Frame, Guest, GuestOptions, Hello, Host, HostOptions, MAX_PAYLOAD, MAX_STREAMS, Message, Part, StreamId,
};
use nex_contract::{ByteString, Exec, MAX_REQUEST, Request};

/// Counts what is allocated. Nothing else runs in this process.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: each call goes on to the system's allocator, with the same arguments.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller has promised.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many more bytes are held than before.
fn growth(before: usize) -> usize {
    HELD.load(Ordering::Relaxed).saturating_sub(before)
}

/// Both ends in one test, as it counts what the whole process holds.
#[test]
fn requests_that_are_given_up_are_not_held() {
    let mut bytes = Vec::new();
    Hello { version: 1, window: 1000, session: 0 }.encode(&mut bytes);
    let (mut guest, mut host) = (Guest::new(GuestOptions::default()), Host::new(HostOptions::default()));
    assert!(guest.receive(&mut &bytes[..]).unwrap().is_some());
    assert!(host.receive(&mut &bytes[..]).unwrap().is_some());

    // A host that takes requests back just before they are whole, and reads no confirmation.
    let part = vec![b' '; MAX_PAYLOAD];
    bytes.reserve(2 * MAX_REQUEST);
    let before = HELD.load(Ordering::Relaxed);
    for number in 1..=MAX_STREAMS as u32 {
        let stream = StreamId::new(number).unwrap();
        bytes.clear();
        for _ in 0..MAX_REQUEST / MAX_PAYLOAD {
            Frame { stream, message: Message::Open(&part, Part::More) }.encode(&mut bytes);
        }
        Frame { stream, message: Message::Reset(String::new()) }.encode(&mut bytes);
        let mut input = &bytes[..];
        while guest.receive(&mut input).unwrap().is_some() {}
    }
    assert!(growth(before) < MAX_REQUEST, "the guest holds {} bytes", growth(before));

    // A host's own requests, behind which it has given them up, or sent them.
    let argv: Vec<_> = ByteString::new("x".repeat(100_000)).into_iter().collect();
    let request = Request::Exec(Exec { argv, ..Exec::default() });
    bytes = Vec::with_capacity(MAX_STREAMS * MAX_REQUEST);
    let before = HELD.load(Ordering::Relaxed);
    for number in 0..MAX_STREAMS {
        let stream = host.open(&request).unwrap();
        host.transmit(&mut bytes, if number % 2 == 0 { 50_000 } else { usize::MAX });
        if number % 2 == 0 {
            host.reset(stream, "enough");
        }
    }
    assert!(growth(before) < MAX_REQUEST, "the host holds {} bytes", growth(before));
}
