//! The end that is asked.

mod stream;
mod streams;

use nex_contract::{Request, TerminalSize};

use self::stream::Stream;
use self::streams::Table;
use crate::exit::Exit;
use crate::flows::Windows;
use crate::frame::{Frame, Message};
use crate::hello::{Carrier, HELLO_FRAME, Hello, Mark, VERSION, zeros_behind};
use crate::identity::{Flow, Signal, StreamId};
use crate::limits::{MAX_WINDOW, MIN_ROOM, WINDOW};
use crate::outbox::{Outbox, Written};
use crate::session::{Closing, Session, Step};
use crate::turns::Turns;
use crate::violation::Violation;

/// How a guest begins.
#[derive(Clone, Copy, Debug)]
pub struct GuestOptions {
    /// What carries the bytes.
    pub carrier: Carrier,
    /// How many bytes of each flow it holds at most, in either direction: from 1 to [`MAX_WINDOW`].
    pub window: u32,
}

impl Default for GuestOptions {
    fn default() -> Self {
        Self { carrier: Carrier::Connection, window: WINDOW }
    }
}

/// What a host has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestEvent {
    /// A session has begun, in this version.
    Ready(u16),
    /// The host asks for something. The answer is [`accept`](Guest::accept), [`exit`](Guest::exit) or [`refuse`](Guest::refuse).
    Request(StreamId, Request),
    /// Bytes of the standard input are held.
    Data(StreamId),
    /// The standard input has ended, behind what is held.
    Eof(StreamId),
    /// A signal for the program.
    Signal(StreamId, Signal),
    /// The terminal has another size.
    Resize(StreamId, TerminalSize),
    /// The host gives the stream up, for a reason in words, which are the host's. All that runs for it has to be killed, and
    /// [`exit`](Guest::exit) confirms that.
    Reset(StreamId, String),
    /// The session is over, by CLOSE of both ends, the guest's own on its way. All that still runs for its streams has to be killed. On a
    /// port, the guest waits for the next HELLO; a connection is to be closed once [`transmit`](Guest::transmit) has no more.
    Closed,
}

/// The guest's end of a session. It does no input and output itself: bytes of the carrier go through [`receive`](Self::receive) and
/// [`transmit`](Self::transmit).
///
/// What is called for a stream that has ended has no effect.
#[derive(Debug)]
pub struct Guest {
    options: GuestOptions,
    session: Session,
    /// The answer to the host's HELLO, while it waits.
    greeting: Option<Hello>,
    streams: Table,
    turns: Turns,
    closing: Closing,
    /// How many zero bytes came last.
    zeros: usize,
}

/// Waits for a HELLO behind so many zero bytes.
fn waiting(carrier: Carrier, zeros: usize) -> Session {
    Session::new(
        carrier,
        match carrier {
            Carrier::Connection => Mark::First,
            Carrier::Port => Mark::BehindZeros(zeros),
        },
    )
}

impl Guest {
    /// An end that waits for a HELLO.
    pub fn new(options: GuestOptions) -> Self {
        Self::behind(options, 0)
    }

    fn behind(options: GuestOptions, zeros: usize) -> Self {
        let options = GuestOptions { window: options.window.clamp(1, MAX_WINDOW), ..options };
        Self {
            options,
            zeros,
            session: waiting(options.carrier, zeros),
            greeting: None,
            streams: Table::new(Windows { own: options.window, other: 0 }),
            turns: Turns::default(),
            closing: Closing::Not,
        }
    }

    /// Takes bytes from the carrier, up to the next event, and moves `input` behind them; `None` when it has taken all.
    ///
    /// # Errors
    /// When the host breaks a rule. The session is over then, and all that runs for its streams has to be killed. On a connection, each
    /// further call gives the same error. On a port, where this is also how a session ends when the host is gone, the guest waits for the
    /// next HELLO: call again.
    pub fn receive(&mut self, input: &mut &[u8]) -> Result<Option<GuestEvent>, Violation> {
        let before = *input;
        let event = self.next_event(input);
        let taken = before.get(..before.len() - input.len()).unwrap_or_default();
        self.zeros = zeros_behind(self.zeros, taken);
        if let Err(violation) = &event {
            *self = Self::behind(self.options, self.zeros);
            if self.options.carrier == Carrier::Connection {
                self.session = Session::Over(violation.clone());
            }
        }
        event
    }

    fn next_event(&mut self, input: &mut &[u8]) -> Result<Option<GuestEvent>, Violation> {
        while let Some(step) = self.session.next(input)? {
            let event = match step {
                Step::Hello(hello) => Some(self.greet(hello)),
                Step::Frame(frame) => self.take(frame)?,
                Step::Close => Some(self.take_close()),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    fn greet(&mut self, hello: Hello) -> GuestEvent {
        let version = hello.version.min(VERSION);
        self.greeting = Some(Hello { version, window: self.options.window, session: hello.session });
        self.streams = Table::new(Windows { own: self.options.window, other: hello.window });
        self.closing = Closing::Not;
        GuestEvent::Ready(version)
    }

    fn take(&mut self, frame: Frame) -> Result<Option<GuestEvent>, Violation> {
        let stream = frame.stream;
        match frame.message {
            Message::Opened | Message::Exit(_) => Err(Violation::WrongRole(frame.message.kind())),
            // It has crossed CLOSE on the way.
            _ if self.closing == Closing::Sent => Ok(None),
            message => match self.streams.take(stream, message)? {
                Some(GuestEvent::Request(..)) if self.closing == Closing::Waits => {
                    self.refuse(stream, "the guest ends the session");
                    Ok(None)
                }
                event => Ok(event),
            },
        }
    }

    /// The host has said CLOSE: an answer, or it gives all streams up.
    fn take_close(&mut self) -> GuestEvent {
        self.closing.ask();
        self.streams = Table::new(Windows { own: self.options.window, other: 0 });
        if self.options.carrier == Carrier::Port {
            self.session = waiting(Carrier::Port, 0);
        }
        GuestEvent::Closed
    }

    /// Adds frames to `out`, `room` bytes at most, and none into less room than [`MIN_ROOM`].
    ///
    /// What is added counts as sent: the carrier has to get it in this order. Where nothing was added, nothing waits but for credit.
    pub fn transmit(&mut self, out: &mut Vec<u8>, room: usize) {
        if room < MIN_ROOM {
            return;
        }
        let mut out = Outbox::new(out, room);
        if let Some(hello) = self.greeting {
            if out.write(HELLO_FRAME, |out| hello.encode(out)) == Written::NoRoom {
                return;
            }
            self.greeting = None;
        }
        self.turns.transmit(&mut self.streams, &mut out);
        // Behind the host's CLOSE there are none.
        if self.streams.is_empty() {
            self.closing.transmit(&mut out);
        }
    }

    /// Ends the session: further requests are refused, and CLOSE goes behind the end of the last stream. Streams that run go on until they
    /// have ended. [`GuestEvent::Closed`] says that the host has taken everything. Without a session, nothing is to be ended.
    pub fn close(&mut self) {
        if self.session.runs() {
            self.closing.ask();
        }
    }

    /// Whether there is a session: a HELLO has come, and neither the host's CLOSE nor a violation behind it.
    pub fn has_session(&self) -> bool {
        self.session.runs()
    }

    /// Whether a stream is open: its end is not among the frames that were added.
    pub fn has_streams(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Takes a request on.
    pub fn accept(&mut self, stream: StreamId) {
        self.with(stream, Stream::accept);
    }

    /// How many bytes of an output the stream takes now.
    pub fn space(&self, stream: StreamId, flow: Flow) -> usize {
        self.streams.get(stream).map_or(0, |stream| stream.space(flow))
    }

    /// Takes bytes of an output, as many as there is space for, and says how many.
    pub fn send(&mut self, stream: StreamId, flow: Flow, bytes: &[u8]) -> usize {
        self.streams.get_mut(stream).map_or(0, |stream| stream.send(flow, bytes))
    }

    /// Ends an output, behind what was sent.
    pub fn finish(&mut self, stream: StreamId, flow: Flow) {
        self.with(stream, |stream| stream.finish(flow));
    }

    /// The next bytes of the standard input, in one piece; empty when none are held.
    pub fn held(&self, stream: StreamId) -> &[u8] {
        self.streams.get(stream).map_or(&[], Stream::held)
    }

    /// Drops bytes of the standard input that the program has taken. The host gets credit for them.
    pub fn consume(&mut self, stream: StreamId, count: usize) {
        self.with(stream, |stream| stream.consume(count));
    }

    /// Whether the standard input has ended, and all of it is consumed; so it is when the stream has ended.
    pub fn has_ended(&self, stream: StreamId) -> bool {
        self.streams.get(stream).is_none_or(Stream::has_ended)
    }

    /// Says how what runs for the stream has ended. Outputs that have not ended do so, and the host learns it behind all of them.
    pub fn exit(&mut self, stream: StreamId, exit: Exit) {
        self.with(stream, |stream| stream.exit(exit));
    }

    /// Refuses a request, or gives its stream up; what waits for it is dropped. The reason is cut to
    /// [`MAX_TEXT`](crate::MAX_TEXT) bytes.
    pub fn refuse(&mut self, stream: StreamId, reason: &str) {
        self.with(stream, |stream| stream.refuse(reason));
    }

    fn with(&mut self, stream: StreamId, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.streams.get_mut(stream) {
            change(stream);
        }
    }
}
