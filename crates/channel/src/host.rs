//! The end that asks.

mod stream;
mod streams;

use nex_contract::{Request, TerminalSize};

use self::stream::Stream;
use self::streams::Table;
use crate::exit::Exit;
use crate::flows::{Flows, Windows};
use crate::frame::{Frame, Message};
use crate::hello::{Carrier, HELLO_FRAME, Hello, Mark, PADDING, VERSION};
use crate::identity::{Flow, Signal, StreamId};
use crate::limits::{MAX_STREAMS, MAX_WINDOW, MIN_ROOM, WINDOW};
use crate::open_error::OpenError;
use crate::outbox::{Outbox, Written};
use crate::session::{Closing, Session, Step};
use crate::turns::Turns;
use crate::violation::Violation;

/// How a host begins.
#[derive(Clone, Copy, Debug)]
pub struct HostOptions {
    /// What carries the bytes.
    pub carrier: Carrier,
    /// The session's number. On a port, it has to be another one for each session, which the guest cannot know before: a random one.
    pub session: u64,
    /// How many bytes of each flow it holds at most, in either direction: from 1 to [`MAX_WINDOW`].
    pub window: u32,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self { carrier: Carrier::Connection, session: 0, window: WINDOW }
    }
}

/// What a guest has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// The session has begun, in this version: streams can be opened.
    Ready(u16),
    /// The guest has taken a request.
    Opened(StreamId),
    /// Bytes of an output are held.
    Data(StreamId, Flow),
    /// An output has ended, behind what is held.
    Eof(StreamId, Flow),
    /// What the stream was opened for has ended, and so has the stream. What is held of its outputs can still be read.
    Exit(StreamId, Exit),
    /// The guest has refused the request, given the stream up, or confirmed that the host did, with a reason in words, which are
    /// the guest's. The stream has ended as with [`Exit`](Self::Exit).
    Reset(StreamId, String),
    /// The session is over, by CLOSE of both ends, the host's own on its way. Streams without an end are over as if the host had given
    /// them up. What is held of outputs can still be read.
    Closed,
}

/// What becomes of a stream that the host gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// The guest has to confirm it, and [`HostEvent::Exit`] or [`HostEvent::Reset`] will say so.
    Awaited,
    /// The stream is gone, and there is no further event: it had ended, or the guest knew nothing of it.
    Gone,
}

/// The host's end of a session. It does no input and output itself: bytes of the carrier go through [`receive`](Self::receive) and
/// [`transmit`](Self::transmit).
///
/// What is called for a stream that has ended has no effect, as its end may always be on the way.
///
/// It waits for the guest's HELLO as long as its user does, and on a port it passes over any number of bytes meanwhile. So the user needs a
/// deadline for [`HostEvent::Ready`], whatever comes.
#[derive(Debug)]
pub struct Host {
    session: Session,
    hello: Hello,
    /// How many zero bytes are still to be sent, and whether the HELLO is.
    padding: usize,
    greeting: Greeting,
    /// The guest's window, once it has answered.
    windows: Windows,
    streams: Table,
    last: u32,
    turns: Turns,
    closing: Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    Waits,
    Sent,
}

impl Host {
    /// An end that is about to say HELLO.
    pub fn new(options: HostOptions) -> Self {
        let window = options.window.clamp(1, MAX_WINDOW);
        let padding = match options.carrier {
            Carrier::Connection => 0,
            Carrier::Port => PADDING,
        };
        Self {
            session: Session::new(options.carrier, Mark::Session(options.session)),
            hello: Hello { version: VERSION, window, session: options.session },
            padding,
            greeting: Greeting::Waits,
            windows: Windows { own: window, other: 0 },
            streams: Table::default(),
            last: 0,
            turns: Turns::default(),
            closing: Closing::Not,
        }
    }

    /// Takes bytes from the carrier, up to the next event, and moves `input` behind them; `None` when it has taken all.
    ///
    /// # Errors
    /// When the guest breaks a rule. The session is over then: each further call gives the same error.
    pub fn receive(&mut self, input: &mut &[u8]) -> Result<Option<HostEvent>, Violation> {
        let event = self.next_event(input);
        if let Err(violation) = &event {
            self.session = Session::Over(violation.clone());
            self.streams = Table::default();
        }
        event
    }

    fn next_event(&mut self, input: &mut &[u8]) -> Result<Option<HostEvent>, Violation> {
        while let Some(step) = self.session.next(input)? {
            let event = match step {
                Step::Hello(hello) if hello.version > VERSION => return Err(Violation::Version(hello.version)),
                Step::Hello(hello) => {
                    self.windows.other = hello.window;
                    Some(HostEvent::Ready(hello.version))
                }
                Step::Frame(frame) => self.take(frame)?,
                Step::Close => {
                    self.streams.end();
                    self.closing.ask();
                    Some(HostEvent::Closed)
                }
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    fn take(&mut self, frame: Frame) -> Result<Option<HostEvent>, Violation> {
        let (id, kind) = (frame.stream, frame.message.kind());
        if matches!(frame.message, Message::Open(..) | Message::Signal(_) | Message::Resize(_)) {
            return Err(Violation::WrongRole(kind));
        }
        if self.closing != Closing::Not {
            // It has crossed CLOSE on the way.
            return Ok(None);
        }
        let stream = self.streams.get_mut(id).ok_or(Violation::NotOpen(kind, id))?;
        let event = stream.take(id, frame.message)?;
        self.streams.tidy(id);
        Ok(event)
    }

    /// Adds frames to `out`, `room` bytes at most, and none into less room than [`MIN_ROOM`].
    ///
    /// What is added counts as sent: the carrier has to get it in this order. Where nothing was added, nothing waits but for credit.
    pub fn transmit(&mut self, out: &mut Vec<u8>, room: usize) {
        if room < MIN_ROOM || matches!(self.session, Session::Over(_)) {
            return;
        }
        let mut room = room;
        if self.padding > 0 {
            let now = self.padding.min(room);
            out.resize(out.len() + now, 0);
            self.padding -= now;
            room -= now;
        }
        let mut out = Outbox::new(out, room);
        if self.padding == 0 && self.greeting == Greeting::Waits {
            let hello = self.hello;
            if out.write(HELLO_FRAME, |out| hello.encode(out)) == Written::Frame {
                self.greeting = Greeting::Sent;
            }
        }
        match self.session {
            Session::Runs(_) => {
                if self.closing == Closing::Not {
                    self.turns.transmit(&mut self.streams, &mut out);
                }
                self.closing.transmit(&mut out);
            }
            Session::Closed => self.closing.transmit(&mut out),
            Session::Waits(_) | Session::Over(_) => {}
        }
    }

    /// Ends the session: all streams are given up, what waits for them is dropped, what comes is, too, and the guest kills what runs for them.
    /// [`HostEvent::Closed`] says that it knows.
    pub fn close(&mut self) {
        self.streams.end();
        self.closing.ask();
    }

    /// Opens a stream. Without standard input in the request, that ends at once.
    ///
    /// # Errors
    /// When there is no session, when too many streams are open (which those are whose outputs have not been read to the end), or when the
    /// request is over a limit.
    pub fn open(&mut self, request: &Request) -> Result<StreamId, OpenError> {
        if !self.session.runs() || self.closing != Closing::Not {
            return Err(OpenError::NoSession);
        }
        if self.streams.len() >= MAX_STREAMS {
            return Err(OpenError::TooManyStreams);
        }
        let id = self.last.checked_add(1).and_then(StreamId::new).ok_or(OpenError::NoNumber)?;
        let json = request.to_json().map_err(OpenError::Request)?;
        self.last = id.get();
        self.streams.insert(id, Stream::new(json, request.stdin(), Flows::of_host(id, self.windows)));
        Ok(id)
    }

    /// How many bytes of standard input the stream takes now.
    pub fn space(&self, stream: StreamId) -> usize {
        self.streams.get(stream).map_or(0, Stream::space)
    }

    /// Takes bytes of standard input, as many as there is space for, and says how many.
    pub fn send(&mut self, stream: StreamId, bytes: &[u8]) -> usize {
        self.streams.get_mut(stream).map_or(0, |stream| stream.send(bytes))
    }

    /// Ends the standard input, behind what was sent.
    pub fn finish(&mut self, stream: StreamId) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.finish();
        }
    }

    /// Sends a signal to the program, past its standard input; `false` when [`MAX_SIGNALS`](crate::MAX_SIGNALS) wait already, or the
    /// stream has ended.
    #[must_use]
    pub fn signal(&mut self, stream: StreamId, signal: Signal) -> bool {
        self.streams.get_mut(stream).is_some_and(|stream| stream.signal(signal))
    }

    /// Gives the terminal another size. Of several that wait, the last one counts.
    pub fn resize(&mut self, stream: StreamId, size: TerminalSize) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.resize(size);
        }
    }

    /// Gives a stream up: what waits for it is dropped, what comes is, too, and the guest kills what runs for it. The reason is cut to
    /// [`MAX_TEXT`](crate::MAX_TEXT) bytes.
    pub fn reset(&mut self, stream: StreamId, reason: &str) -> GivenUp {
        let Some(found) = self.streams.get_mut(stream) else { return GivenUp::Gone };
        let given_up = found.give_up(reason);
        self.streams.tidy(stream);
        given_up
    }

    /// The next bytes of an output, in one piece; empty when none are held.
    pub fn held(&self, stream: StreamId, flow: Flow) -> &[u8] {
        self.streams.get(stream).map_or(&[], |stream| stream.held(flow))
    }

    /// Drops bytes of an output that its consumer has taken. The guest gets credit for them.
    pub fn consume(&mut self, stream: StreamId, flow: Flow, count: usize) {
        if let Some(found) = self.streams.get_mut(stream) {
            found.consume(flow, count);
            self.streams.tidy(stream);
        }
    }

    /// Whether an output has ended, and all of it is consumed; so it is when the stream has ended.
    pub fn has_ended(&self, stream: StreamId, flow: Flow) -> bool {
        self.streams.get(stream).is_none_or(|stream| stream.has_ended(flow))
    }
}
