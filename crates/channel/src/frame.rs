//! Frames of streams, to bytes.

use nex_contract::TerminalSize;

use crate::exit::{Exit, bounded};
use crate::header::Header;
use crate::identity::{Flow, Signal, StreamId};
use crate::kind::Kind;
use crate::limits::HEADER;

/// The frame that ends a session.
pub const CLOSE_FRAME: [u8; HEADER] = [Kind::Close.number(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A frame of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The stream.
    pub stream: StreamId,
    /// What it says.
    pub message: Message<'a>,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A part of a request, at least one byte and at most [`MAX_PAYLOAD`](crate::MAX_PAYLOAD).
    Open(&'a [u8], Part),
    /// The request is taken.
    Opened,
    /// Bytes of a flow, as many.
    Data(Flow, &'a [u8]),
    /// The flow has ended.
    Eof(Flow),
    /// The other end may send this many bytes more, at least one.
    Credit(Flow, u32),
    /// A signal for the program.
    Signal(Signal),
    /// The terminal has another size.
    Resize(TerminalSize),
    /// How it has ended.
    Exit(Exit),
    /// The stream is given up or refused, with the reason in words; those are cut to [`MAX_TEXT`](crate::MAX_TEXT) bytes.
    Reset(String),
}

/// Which part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The last one.
    Last,
    /// One with more behind it.
    More,
}

impl Message<'_> {
    /// The kind of its frame.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Open(..) => Kind::Open,
            Self::Opened => Kind::Opened,
            Self::Data(..) => Kind::Data,
            Self::Eof(_) => Kind::Eof,
            Self::Credit(..) => Kind::Credit,
            Self::Signal(_) => Kind::Signal,
            Self::Resize(_) => Kind::Resize,
            Self::Exit(_) => Kind::Exit,
            Self::Reset(_) => Kind::Reset,
        }
    }

    /// The length of its payload, in bytes.
    pub fn length(&self) -> usize {
        match self {
            Self::Open(bytes, _) | Self::Data(_, bytes) => bytes.len(),
            Self::Opened | Self::Eof(_) => 0,
            Self::Credit(..) | Self::Signal(_) | Self::Resize(_) => 4,
            Self::Exit(exit) => exit.length(),
            Self::Reset(text) => bounded(text).len(),
        }
    }

    fn flow(&self) -> u8 {
        match self {
            Self::Data(flow, _) | Self::Eof(flow) | Self::Credit(flow, _) => flow.number(),
            Self::Open(_, Part::More) => 1,
            _ => 0,
        }
    }
}

impl Frame<'_> {
    /// How many bytes [`encode`](Self::encode) adds.
    pub fn size(&self) -> usize {
        HEADER + self.message.length()
    }

    /// Adds the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, flow, length) = (self.message.kind(), self.message.flow(), self.message.length());
        out.extend_from_slice(&Header { kind, flow, stream: self.stream.get(), length }.encode());
        match &self.message {
            Message::Open(bytes, _) | Message::Data(_, bytes) => out.extend_from_slice(bytes),
            Message::Opened | Message::Eof(_) => {}
            Message::Credit(_, count) => out.extend_from_slice(&count.to_le_bytes()),
            Message::Signal(signal) => out.extend_from_slice(&u32::from(signal.number()).to_le_bytes()),
            Message::Resize(size) => {
                out.extend_from_slice(&size.rows.to_le_bytes());
                out.extend_from_slice(&size.columns.to_le_bytes());
            }
            Message::Exit(exit) => exit.encode(out),
            Message::Reset(text) => out.extend_from_slice(bounded(text).as_bytes()),
        }
    }
}
