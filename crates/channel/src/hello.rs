//! The frame that begins a session.

use crate::header::Header;
use crate::kind::Kind;
use crate::limits::{HEADER, HELLO_PAYLOAD, MAX_PAYLOAD, MAX_WINDOW};
use crate::violation::Violation;

/// The version that this crate speaks.
pub const VERSION: u16 = 1;

/// What no text begins with, and what a terminal or a mode for text in between would change, as in PNG.
pub const MAGIC: [u8; 8] = *b"\x89nex\r\n\x1a\n";

/// The length of the frame, in bytes.
pub const HELLO_FRAME: usize = HEADER + HELLO_PAYLOAD;

/// How many zero bytes a host writes to a port before its HELLO: they end any frame of an earlier session that was cut off, and the
/// next one of them is no frame.
pub const PADDING: usize = HEADER + MAX_PAYLOAD + HEADER;

/// A guest on a port takes a HELLO behind more zero bytes than this. A payload is no longer, so none holds them and a HELLO: what a host
/// copies into the guest, such as a tar that somebody else has made, begins no session, wherever the guest begins to read.
const MOST_IN_PAYLOAD: usize = MAX_PAYLOAD;

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A connection, which holds what the other end has written since it began: vsock, a unix socket.
    Connection,
    /// A port without connections, which may hold bytes of an earlier session: virtio-serial.
    Port,
}

/// What both ends say at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// From the host the highest version that it speaks, from the guest that of the session.
    pub version: u16,
    /// How many bytes of each flow the end takes before it gives credit.
    pub window: u32,
    /// The number of the session, which the host chooses and the guest repeats.
    pub session: u64,
}

/// What each HELLO begins with.
fn start() -> [u8; HEADER + MAGIC.len()] {
    let header = Header { kind: Kind::Hello, flow: 0, stream: 0, length: HELLO_PAYLOAD }.encode();
    let mut start = [0; HEADER + MAGIC.len()];
    let (first, second) = start.split_at_mut(HEADER);
    first.copy_from_slice(&header);
    second.copy_from_slice(&MAGIC);
    start
}

impl Hello {
    /// Adds the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&start());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.window.to_le_bytes());
        out.extend_from_slice(&self.session.to_le_bytes());
    }

    /// Reads what follows the magic.
    fn decode(fields: &[u8]) -> Option<Self> {
        let ([v0, v1, 0, 0], rest) = fields.split_first_chunk()? else { return None };
        let (window, session) = rest.split_first_chunk()?;
        let (version, window) = (u16::from_le_bytes([*v0, *v1]), u32::from_le_bytes(*window));
        let makes_sense = version > 0 && (1..=MAX_WINDOW).contains(&window);
        makes_sense.then_some(Self { version, window, session: u64::from_le_bytes(session.try_into().ok()?) })
    }
}

/// What a HELLO is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is the first of a connection, of any session: what a guest waits for there.
    First,
    /// It is behind the zero bytes of a host, of which so many have come: what a guest waits for on a port.
    BehindZeros(usize),
    /// It is of this session: what a host waits for.
    Session(u64),
}

/// How many zero bytes stand last, where so many stood before these bytes.
pub fn zeros_behind(before: usize, bytes: &[u8]) -> usize {
    match bytes.iter().rposition(|byte| *byte != 0) {
        Some(place) => bytes.len() - place - 1,
        None => before.saturating_add(bytes.len()),
    }
}

/// Looks for the HELLO that begins a session. It holds less than one such frame.
#[derive(Debug)]
pub struct HelloReader {
    carrier: Carrier,
    mark: Mark,
    held: Vec<u8>,
}

impl HelloReader {
    /// Waits for a HELLO with this mark.
    pub fn new(carrier: Carrier, mark: Mark) -> Self {
        Self { carrier, mark, held: Vec::with_capacity(HELLO_FRAME) }
    }

    /// Takes bytes up to the end of the HELLO, which it gives once it is whole.
    ///
    /// # Errors
    /// When a connection begins with anything else. On a port, that is passed over.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Hello>, Violation> {
        while let Some((byte, rest)) = input.split_first() {
            *input = rest;
            self.held.push(*byte);
            match self.examine() {
                Examined::Begins => {}
                Examined::Whole(hello) => return Ok(Some(hello)),
                Examined::Other if self.carrier == Carrier::Connection => return Err(Violation::NoHello),
                Examined::Other => self.pass_over(),
            }
        }
        Ok(None)
    }

    fn examine(&self) -> Examined {
        let start = start();
        let known = self.held.len().min(start.len());
        let (begun, fields) = self.held.split_at(known);
        if !start.starts_with(begun) {
            return Examined::Other;
        }
        if self.held.len() < HELLO_FRAME {
            return Examined::Begins;
        }
        match Hello::decode(fields) {
            Some(hello) if self.has_mark(hello) => Examined::Whole(hello),
            _ => Examined::Other,
        }
    }

    fn has_mark(&self, hello: Hello) -> bool {
        match self.mark {
            Mark::First => true,
            Mark::BehindZeros(zeros) => zeros > MOST_IN_PAYLOAD,
            Mark::Session(session) => session == hello.session,
        }
    }

    /// Drops bytes until the rest may begin a HELLO.
    fn pass_over(&mut self) {
        let start = start();
        let begins = |place: &usize| {
            let rest = self.held.get(*place..).unwrap_or_default();
            start.starts_with(rest.get(..start.len()).unwrap_or(rest))
        };
        let place = (1..self.held.len()).find(begins).unwrap_or(self.held.len());
        if let Mark::BehindZeros(zeros) = &mut self.mark {
            *zeros = zeros_behind(*zeros, self.held.get(..place).unwrap_or_default());
        }
        self.held.drain(..place);
    }
}

enum Examined {
    /// What is held may become one.
    Begins,
    Whole(Hello),
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Hello = Hello { version: 1, window: 0x0001_0203, session: 0x0405_0607_0809_0a0b };

    fn frame(hello: Hello) -> Vec<u8> {
        let mut frame = Vec::new();
        hello.encode(&mut frame);
        frame
    }

    #[test]
    fn it_has_the_documented_bytes() {
        let expected =
            b"\x01\0\0\0\0\0\0\0\x18\0\0\0\x89nex\r\n\x1a\n\x01\0\0\0\x03\x02\x01\0\x0b\x0a\x09\x08\x07\x06\x05\x04";
        assert_eq!(frame(HELLO), expected);
    }

    #[test]
    fn a_connection_begins_with_it_and_nothing_else() {
        let right = frame(HELLO);
        for place in 0..HELLO_FRAME {
            for mark in [Mark::First, Mark::Session(HELLO.session)] {
                let mut bytes = right.clone();
                bytes[place] ^= 0xff;
                let mut input = &bytes[..];
                let read = HelloReader::new(Carrier::Connection, mark).read(&mut input);
                let is_free = match place {
                    20..22 => true,
                    // The window may be any but one of more than there may be, which its last byte makes.
                    24..=26 => true,
                    28.. => mark == Mark::First,
                    _ => false,
                };
                assert_eq!(read.is_ok(), is_free, "byte {place}");
                assert!(is_free || input.len() <= HELLO_FRAME - 1 - place.min(20), "it waits for more than it needs");
            }
        }
    }

    #[test]
    fn a_port_is_read_up_to_it() {
        let other = Hello { session: 7, ..HELLO };
        let stale = [
            vec![0; PADDING],
            frame(HELLO)[..30].to_vec(),
            frame(other),
            frame(Hello { window: 0, ..HELLO }),
            b"\x01\0\x01\0\0\x01\0\0\0\0".to_vec(),
        ];
        let bytes = [stale.concat(), frame(HELLO), b"rest".to_vec()].concat();
        for size in [1, 2, 7, 36, bytes.len()] {
            let mut reader = HelloReader::new(Carrier::Port, Mark::Session(HELLO.session));
            let mut found = None;
            for mut chunk in bytes.chunks(size) {
                while found.is_none() && !chunk.is_empty() {
                    found = reader.read(&mut chunk).unwrap();
                    assert!(reader.held.len() <= HELLO_FRAME);
                }
            }
            assert_eq!(found, Some(HELLO), "chunks of {size}");
        }
    }

    #[test]
    fn a_guest_on_a_port_takes_one_behind_zeros_that_no_payload_holds() {
        let found = |before: usize, bytes: &[u8], size: usize| {
            let mut reader = HelloReader::new(Carrier::Port, Mark::BehindZeros(before));
            bytes.chunks(size).any(|mut chunk| reader.read(&mut chunk).unwrap().is_some())
        };
        for size in [1, 36, 5000, usize::MAX] {
            for (zeros, is_taken) in [(PADDING, true), (MAX_PAYLOAD + 1, true), (MAX_PAYLOAD, false), (0, false)] {
                let bytes = [b"old".to_vec(), vec![0; zeros], frame(HELLO)].concat();
                assert_eq!(found(0, &bytes, size), is_taken, "{zeros} zeros in chunks of {size}");
                // Some of them came before.
                assert_eq!(found(zeros / 2, &bytes[3 + zeros / 2..], size), is_taken, "{zeros} zeros");
            }
            // Zeros before something else do not count.
            let bytes = [vec![0; PADDING], b"x".to_vec(), frame(HELLO)].concat();
            assert!(!found(0, &bytes, size));
            assert!(found(0, &[&bytes, &vec![0; PADDING][..], &frame(HELLO)].concat(), size));
        }
    }
}
