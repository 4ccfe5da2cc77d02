//! How many bytes a second go from a host's user to a guest's and back, on one processor and without a carrier:
//! `cargo run --release -p nex-channel --example throughput`.

use std::time::{Duration, Instant};

use nex_channel::{Flow, Guest, GuestEvent, GuestOptions, Host, HostOptions, StreamId};
use nex_contract::{ByteString, Exec, Request, Stdin};

/// What a read of a carrier gives.
const ROOM: usize = 64 << 10;

fn main() {
    let (mut host, mut guest) = (Host::new(HostOptions::default()), Guest::new(GuestOptions::default()));
    let mut wire = Vec::with_capacity(ROOM);
    carry(&mut host, &mut guest, &mut wire);
    let argv = ByteString::new("cat").into_iter().collect();
    let request = Request::Exec(Exec { argv, stdin: Stdin::Stream, ..Exec::default() });
    let stream = host.open(&request).expect("there is a session");
    carry(&mut host, &mut guest, &mut wire);
    guest.accept(stream);
    for size in [100, 4 << 10, 64 << 10] {
        let piece = vec![7; size];
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_secs(2) {
            count += echo(&mut host, &mut guest, stream, &piece, &mut wire);
        }
        let each_way = count as f64 / start.elapsed().as_secs_f64() / 1e6;
        println!("pieces of {size} bytes: {each_way:.0} MB/s in and the same out");
    }
}

/// Has the guest send back what the host sends, and gives how many bytes came back.
fn echo(host: &mut Host, guest: &mut Guest, stream: StreamId, piece: &[u8], wire: &mut Vec<u8>) -> usize {
    while host.send(stream, piece) == piece.len() {}
    carry(host, guest, wire);
    loop {
        let held = guest.held(stream).to_vec();
        let sent = guest.send(stream, Flow::Stdout, &held);
        guest.consume(stream, sent);
        if sent == 0 {
            break;
        }
    }
    carry(host, guest, wire);
    let mut count = 0;
    loop {
        let held = host.held(stream, Flow::Stdout).len();
        host.consume(stream, Flow::Stdout, held);
        count += held;
        if held == 0 {
            return count;
        }
    }
}

/// Carries all that waits, both ways.
fn carry(host: &mut Host, guest: &mut Guest, wire: &mut Vec<u8>) {
    loop {
        wire.clear();
        host.transmit(wire, ROOM);
        let mut input = &wire[..];
        while let Some(event) = guest.receive(&mut input).expect("the host keeps the rules") {
            assert!(!matches!(event, GuestEvent::Reset(..)));
        }
        let to_guest = wire.len();
        wire.clear();
        guest.transmit(wire, ROOM);
        let mut input = &wire[..];
        while host.receive(&mut input).expect("the guest keeps the rules").is_some() {}
        if to_guest + wire.len() == 0 {
            return;
        }
    }
}
