//! What the other end of a channel says, to each end. The first byte says which end, on what carrier, whether a HELLO has come, and how
//! large the windows are; then follow bytes of the other end, each piece behind its length, between deeds of this end's user. Whatever is
//! said, an end holds no more than its windows, writes no more than there is room for and nothing but frames, and says nothing behind a
//! violation.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nex_channel::{
    Carrier, Decoder, Exit, Flow, Guest, GuestEvent, GuestOptions, HELLO_FRAME, Hello, Host, HostEvent, HostOptions,
    MAX_STREAMS, PADDING, Signal, StreamId, Violation,
};
use nex_contract::{ByteString, Exec, Request, Stdin, TerminalSize};
use nex_fuzz::place;

const SESSION: u64 = 7;
const WINDOWS: [u32; 4] = [1, 100, 5000, nex_channel::WINDOW];

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let carrier = if choice & 2 == 0 { Carrier::Connection } else { Carrier::Port };
    let window = WINDOWS[usize::from(choice >> 3) % WINDOWS.len()];
    let end: Box<dyn End> = match choice & 1 {
        0 => Box::new(Host::new(HostOptions { carrier, session: SESSION, window })),
        _ => Box::new(Guest::new(GuestOptions { carrier, window })),
    };
    let mut session = Session { end, carrier, window, decoder: Decoder::new(), greeting: Vec::new() };
    if choice & 4 == 0 {
        // What a guest on a port begins with is behind the host's zero bytes.
        let mut hello = match (session.end.is_host(), carrier) {
            (false, Carrier::Port) => vec![0; PADDING],
            _ => Vec::new(),
        };
        Hello { version: 1, window, session: SESSION }.encode(&mut hello);
        session.receive(&hello);
    }
    session.run(rest);
});

/// What an end has heard.
#[derive(Debug, PartialEq)]
enum Heard {
    /// Something of a stream.
    Of(StreamId),
    Closed,
}

/// An end, and a user of it who does anything at any time.
trait End {
    fn is_host(&self) -> bool;
    fn receive(&mut self, input: &mut &[u8]) -> Result<Option<Heard>, Violation>;
    fn transmit(&mut self, out: &mut Vec<u8>, room: usize);
    fn held(&self, stream: StreamId) -> usize;
    fn act(&mut self, deed: u8, stream: StreamId, amount: u8);
}

impl End for Host {
    fn is_host(&self) -> bool {
        true
    }

    fn receive(&mut self, input: &mut &[u8]) -> Result<Option<Heard>, Violation> {
        Ok(Host::receive(self, input)?.map(|event| match event {
            HostEvent::Closed => Heard::Closed,
            _ => Heard::Of(StreamId::new(1).expect("a number")),
        }))
    }

    fn transmit(&mut self, out: &mut Vec<u8>, room: usize) {
        Host::transmit(self, out, room);
    }

    fn held(&self, stream: StreamId) -> usize {
        self.held(stream, Flow::Stdout).len().max(self.held(stream, Flow::Stderr).len())
    }

    fn act(&mut self, deed: u8, stream: StreamId, amount: u8) {
        let amount = usize::from(amount) * 1000;
        match deed {
            0 => {
                let argv = ByteString::new(vec![b'x'; amount.clamp(1, 100_000)]).into_iter().collect();
                let _ = self.open(&Request::Exec(Exec { argv, stdin: Stdin::Stream, ..Exec::default() }));
            }
            1 => drop(self.send(stream, &vec![0; amount])),
            2 => self.finish(stream),
            3 => drop(self.signal(stream, Signal::new(1).expect("a signal"))),
            4 => self.resize(stream, TerminalSize::default()),
            5 => drop(self.reset(stream, "given up")),
            6 => self.consume(stream, Flow::Stdout, amount),
            15 => self.close(),
            _ => self.consume(stream, Flow::Stderr, amount),
        }
    }
}

impl End for Guest {
    fn is_host(&self) -> bool {
        false
    }

    fn receive(&mut self, input: &mut &[u8]) -> Result<Option<Heard>, Violation> {
        Ok(Guest::receive(self, input)?.map(|event| match event {
            GuestEvent::Request(stream, _) | GuestEvent::Data(stream) => Heard::Of(stream),
            GuestEvent::Closed => Heard::Closed,
            _ => Heard::Of(StreamId::new(1).expect("a number")),
        }))
    }

    fn transmit(&mut self, out: &mut Vec<u8>, room: usize) {
        Guest::transmit(self, out, room);
    }

    fn held(&self, stream: StreamId) -> usize {
        self.held(stream).len()
    }

    fn act(&mut self, deed: u8, stream: StreamId, amount: u8) {
        let amount = usize::from(amount) * 1000;
        match deed {
            0 => self.accept(stream),
            1 => drop(self.send(stream, Flow::Stdout, &vec![0; amount])),
            2 => drop(self.send(stream, Flow::Stderr, &vec![0; amount])),
            3 => self.finish(stream, Flow::Stdout),
            4 => self.consume(stream, amount),
            5 => self.exit(stream, Exit::Code(0)),
            6 => self.refuse(stream, "refused"),
            15 => self.close(),
            _ => self.finish(stream, Flow::Stderr),
        }
    }
}

struct Session {
    end: Box<dyn End>,
    carrier: Carrier,
    window: u32,
    /// Reads what the end says, behind its first bytes.
    decoder: Decoder,
    greeting: Vec<u8>,
}

impl Session {
    /// A byte below 128 is the length of what comes, less one; any other a deed, its stream, and an amount in a byte of its own.
    fn run(&mut self, mut rest: &[u8]) {
        while let Some((step, behind)) = rest.split_first() {
            rest = behind;
            if *step < 0x80 {
                let (bytes, behind) = rest.split_at(rest.len().min(usize::from(*step) + 1));
                rest = behind;
                self.receive(bytes);
                continue;
            }
            let Some((amount, behind)) = rest.split_first() else { return };
            rest = behind;
            let stream = StreamId::new(u32::from(step & 7) + 1).expect("a number");
            match step >> 3 & 15 {
                8..15 => self.transmit(usize::from(*amount) * 400),
                deed => self.end.act(deed, stream, *amount),
            }
        }
        self.transmit(usize::MAX);
    }

    fn receive(&mut self, mut bytes: &[u8]) {
        loop {
            match self.end.receive(&mut bytes) {
                Ok(None) => break,
                Ok(Some(Heard::Of(stream))) => assert!(self.end.held(stream) <= self.window as usize),
                Ok(Some(Heard::Closed)) => {
                    self.transmit(usize::MAX);
                    if !self.end.is_host() && self.carrier == Carrier::Port {
                        // Its next session begins.
                        (self.decoder, self.greeting) = (Decoder::new(), Vec::new());
                    }
                }
                Err(violation) => {
                    place::check_message(&violation);
                    if self.carrier == Carrier::Connection || self.end.is_host() {
                        assert_eq!(self.end.receive(&mut &bytes[..]), Err(violation));
                        let mut out = Vec::new();
                        self.end.transmit(&mut out, usize::MAX);
                        assert!(out.is_empty());
                        return;
                    }
                    // A guest on a port begins anew.
                    (self.decoder, self.greeting) = (Decoder::new(), Vec::new());
                }
            }
        }
        assert!(bytes.is_empty());
    }

    fn transmit(&mut self, room: usize) {
        let mut out = Vec::new();
        self.end.transmit(&mut out, room);
        let most = MAX_STREAMS * (3 * self.window as usize + (512 << 10)) + PADDING;
        assert!(out.len() <= room.min(most));
        let first = HELLO_FRAME + if self.end.is_host() && self.carrier == Carrier::Port { PADDING } else { 0 };
        let (greeting, mut frames) = out.split_at(out.len().min(first - self.greeting.len()));
        self.greeting.extend(greeting);
        while self.decoder.decode(&mut frames).expect("what an end says is frames").is_some() {}
    }
}
