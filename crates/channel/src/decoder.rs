//! From bytes to frames of streams.

use nex_contract::TerminalSize;

use crate::exit::Exit;
use crate::frame::{Frame, Message, Part};
use crate::header::Header;
use crate::identity::{Flow, Signal, StreamId};
use crate::kind::Kind;
use crate::limits::HEADER;
use crate::violation::Violation;

/// What comes behind a HELLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A frame of a stream.
    Frame(Frame<'a>),
    /// The frame that ends the session.
    Close,
}

/// Reads frames as their bytes come, in chunks of any size.
///
/// It never holds more than one short frame. A long one (OPEN, DATA) comes in the pieces in which its bytes do, each as a frame of its own:
/// to a stream, that is the same.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a header, or of a short frame.
    held: Vec<u8>,
    /// The long frame that is being read.
    body: Option<Body>,
}

/// What is left of a long frame.
#[derive(Clone, Copy, Debug)]
struct Body {
    stream: StreamId,
    what: BodyOf,
    /// In bytes, at least one.
    left: usize,
}

#[derive(Clone, Copy, Debug)]
enum BodyOf {
    Open(Part),
    Data(Flow),
}

impl Decoder {
    /// A decoder at the beginning of a frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes up to the end of a frame, or of all bytes of a long one that are there; `None` when that needs more bytes.
    ///
    /// # Errors
    /// When the bytes are no frame. What follows them then means nothing.
    pub fn decode<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Decoded<'a>>, Violation> {
        loop {
            if let Some(body) = self.body {
                return Ok(self.piece(body, input).map(Decoded::Frame));
            }
            let Some(header) = self.header(input)? else { return Ok(None) };
            if header.kind == Kind::Close {
                self.pass_header(input);
                return Ok(Some(Decoded::Close));
            }
            let frame = self.short_frame(header, input)?;
            if self.body.is_none() {
                return Ok(frame.map(Decoded::Frame));
            }
        }
    }

    /// As much of a long frame as there is.
    fn piece<'a>(&mut self, body: Body, input: &mut &'a [u8]) -> Option<Frame<'a>> {
        let (bytes, rest) = input.split_at(input.len().min(body.left));
        *input = rest;
        let left = body.left - bytes.len();
        self.body = (left > 0).then_some(Body { left, ..body });
        if bytes.is_empty() {
            return None;
        }
        let message = match body.what {
            BodyOf::Data(flow) => Message::Data(flow, bytes),
            BodyOf::Open(part) => Message::Open(bytes, if left > 0 { Part::More } else { part }),
        };
        Some(Frame { stream: body.stream, message })
    }

    /// The header of the next frame. What of it was not there by now is held.
    fn header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Violation> {
        if let (true, Some(bytes)) = (self.held.is_empty(), input.first_chunk()) {
            return Header::decode(*bytes).map(Some);
        }
        self.hold(HEADER, input);
        self.held.first_chunk().map(|bytes| Header::decode(*bytes)).transpose()
    }

    /// Goes on behind a header that was read.
    fn pass_header(&mut self, input: &mut &[u8]) {
        if self.held.is_empty() {
            *input = input.get(HEADER..).unwrap_or_default();
        }
        self.held.clear();
    }

    /// The frame of a header, when it is short and whole; else what is left of it is to be read.
    fn short_frame<'a>(&mut self, header: Header, input: &mut &[u8]) -> Result<Option<Frame<'a>>, Violation> {
        let stream = StreamId::new(header.stream).ok_or(Violation::SecondHello)?;
        if let Some(what) = long(header)? {
            self.pass_header(input);
            self.body = Some(Body { stream, what, left: header.length });
            return Ok(None);
        }
        let size = HEADER + header.length;
        if let (true, Some((frame, rest))) = (self.held.is_empty(), input.split_at_checked(size)) {
            *input = rest;
            let message = message(header, frame.get(HEADER..).unwrap_or_default())?;
            return Ok(Some(Frame { stream, message }));
        }
        self.hold(size, input);
        if self.held.len() < size {
            return Ok(None);
        }
        let message = message(header, self.held.get(HEADER..).unwrap_or_default());
        self.held.clear();
        Ok(Some(Frame { stream, message: message? }))
    }

    /// Holds bytes until there are this many.
    fn hold(&mut self, size: usize, input: &mut &[u8]) {
        let missing = size.saturating_sub(self.held.len());
        let (now, rest) = input.split_at(input.len().min(missing));
        self.held.extend_from_slice(now);
        *input = rest;
    }
}

/// What a long frame is a part of; `None` for the header of a short one.
fn long(header: Header) -> Result<Option<BodyOf>, Violation> {
    match header.kind {
        Kind::Open if header.flow == 0 => Ok(Some(BodyOf::Open(Part::Last))),
        Kind::Open => Ok(Some(BodyOf::Open(Part::More))),
        Kind::Data => flow(header).map(|flow| Some(BodyOf::Data(flow))),
        _ => Ok(None),
    }
}

fn flow(header: Header) -> Result<Flow, Violation> {
    Flow::from_number(header.flow).ok_or(Violation::BadFlow(header.kind, header.flow))
}

/// What a short frame says.
fn message(header: Header, payload: &[u8]) -> Result<Message<'static>, Violation> {
    let bad = || Violation::BadPayload(header.kind);
    let four = || payload.first_chunk().copied().ok_or_else(bad);
    match header.kind {
        Kind::Opened => Ok(Message::Opened),
        Kind::Eof => Ok(Message::Eof(flow(header)?)),
        Kind::Credit => match u32::from_le_bytes(four()?) {
            0 => Err(bad()),
            count => Ok(Message::Credit(flow(header)?, count)),
        },
        Kind::Signal => {
            let number = u8::try_from(u32::from_le_bytes(four()?)).ok();
            number.and_then(Signal::new).map(Message::Signal).ok_or_else(bad)
        }
        Kind::Resize => {
            let [r0, r1, c0, c1] = four()?;
            let (rows, columns) = (u16::from_le_bytes([r0, r1]), u16::from_le_bytes([c0, c1]));
            Ok(Message::Resize(TerminalSize { rows, columns }))
        }
        Kind::Exit => Exit::decode(payload).map(Message::Exit).ok_or_else(bad),
        Kind::Reset => str::from_utf8(payload).map(|text| Message::Reset(text.to_owned())).map_err(|_| bad()),
        Kind::Hello | Kind::Open | Kind::Data | Kind::Close => Err(bad()),
    }
}
