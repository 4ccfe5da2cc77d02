//! A client that has a session of the channel with the supervisor.

use std::io;
use std::os::unix::net::UnixStream;

use nex_channel::{Exit, Flow, Guest, GuestEvent, GuestOptions, Signal, StreamId};
use nex_contract::{Request, Stdin, TerminalSize};
use nex_protocol::Stream;

use crate::supervisor::link::Link;

/// How many bytes of each flow are held for a client.
const WINDOW: u32 = 64 << 10;

/// A client's session.
#[derive(Debug)]
pub struct Frames {
    /// The session, in which the client is the host.
    pub link: Link<Guest>,
    attached: Vec<Attached>,
    /// Whether one of its streams has ever been connected with the program.
    pub was_attached: bool,
    /// Whether there is a program to be connected with.
    program: Program,
}

/// Whether there is a program to be connected with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// It is not started yet.
    Awaited,
    /// It runs, or is about to.
    Here,
}

/// A stream that is connected with the program.
#[derive(Debug)]
struct Attached {
    id: StreamId,
    stdin: Input,
}

/// What may still come of a client's standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    Ended,
}

/// What has come of standard input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Somebody may still send some.
    pub is_open: bool,
    /// Somebody has sent its end.
    pub is_ended: bool,
}

/// What a client wants.
#[derive(Debug)]
pub enum Said {
    /// It is connected with the program, whose terminal has this size.
    Attached(Option<TerminalSize>),
    /// The program gets a signal.
    ProgramSignal(Signal),
    /// The program's terminal has another size.
    ProgramSize(TerminalSize),
    /// Something is to be done in the guest.
    Open(StreamId, Request),
    /// A signal for what is done by this stream.
    Signal(StreamId, Signal),
    /// The terminal of what is done by this stream has another size.
    Resize(StreamId, TerminalSize),
    /// The stream is given up.
    Reset(StreamId, String),
}

impl Frames {
    /// A session that begins behind these bytes of the supervisor's, and with these of the client's.
    ///
    /// # Errors
    /// When the socket cannot be had without waiting.
    pub fn new(stream: UnixStream, program: Program, answer: Vec<u8>, begun: &[u8]) -> io::Result<(Self, Vec<Said>)> {
        let guest = Guest::new(GuestOptions { window: WINDOW, ..GuestOptions::default() });
        let link = Link::new(stream, guest, answer)?;
        let mut frames = Self { link, attached: Vec::new(), was_attached: false, program };
        let events = frames.link.take(begun);
        let said = frames.hear(events);
        Ok((frames, said))
    }

    /// Takes what has come.
    pub fn read(&mut self) -> Vec<Said> {
        let events = self.link.read();
        self.hear(events)
    }

    fn hear(&mut self, events: Vec<GuestEvent>) -> Vec<Said> {
        events.into_iter().filter_map(|event| self.said(event)).collect()
    }

    fn said(&mut self, event: GuestEvent) -> Option<Said> {
        let is_attached = |id: StreamId| self.attached.iter().any(|attached| attached.id == id);
        match event {
            GuestEvent::Request(id, Request::Attach(attach)) => {
                if self.program == Program::Here {
                    self.link.end.accept(id);
                }
                let stdin = if attach.stdin == Stdin::Stream { Input::Open } else { Input::Ended };
                self.attached.push(Attached { id, stdin });
                self.was_attached = true;
                Some(Said::Attached(attach.size))
            }
            GuestEvent::Request(id, request) => Some(Said::Open(id, request)),
            GuestEvent::Signal(id, signal) if is_attached(id) => Some(Said::ProgramSignal(signal)),
            GuestEvent::Signal(id, signal) => Some(Said::Signal(id, signal)),
            GuestEvent::Resize(id, size) if is_attached(id) => Some(Said::ProgramSize(size)),
            GuestEvent::Resize(id, size) => Some(Said::Resize(id, size)),
            GuestEvent::Reset(id, _) if is_attached(id) => {
                self.attached.retain(|attached| attached.id != id);
                self.link.end.refuse(id, "given up");
                None
            }
            GuestEvent::Reset(id, reason) => Some(Said::Reset(id, reason)),
            GuestEvent::Ready(_) | GuestEvent::Data(_) | GuestEvent::Eof(_) | GuestEvent::Closed => None,
        }
    }

    /// How many bytes of the program's output all streams take now that are connected with it.
    pub fn room(&self, stream: Stream) -> usize {
        let (flow, other) = flows(stream);
        let room = |attached: &Attached| {
            // Behind what waits of the other flow, so that who shows both in one place shows them in order.
            let is_free = self.link.end.space(attached.id, other) == WINDOW as usize;
            if is_free { self.link.end.space(attached.id, flow) } else { 0 }
        };
        self.attached.iter().map(room).min().unwrap_or(usize::MAX)
    }

    /// Gives output to all streams that are connected with the program: no more than there is room for.
    pub fn give(&mut self, stream: Stream, bytes: &[u8]) {
        let (flow, _) = flows(stream);
        for attached in &self.attached {
            self.link.end.send(attached.id, flow, bytes);
        }
        self.link.frame();
    }

    /// The program is about to start: those who want to be connected with it are from now on.
    pub fn open(&mut self) {
        self.program = Program::Here;
        self.attached.iter().for_each(|attached| self.link.end.accept(attached.id));
    }

    /// The program has ended.
    pub fn exit(&mut self, exit: &Exit) {
        for attached in self.attached.drain(..) {
            self.link.end.exit(attached.id, exit.clone());
        }
    }

    /// Nobody will ever know how the program has ended.
    pub fn refuse(&mut self, reason: &str) {
        for attached in self.attached.drain(..) {
            self.link.end.refuse(attached.id, reason);
        }
    }

    /// Takes the program's standard input: what `taker` does not take waits.
    pub fn input(&mut self, taker: &mut dyn FnMut(&[u8]) -> usize) -> Given {
        let end = &mut self.link.end;
        let mut given = Given::default();
        for attached in self.attached.iter_mut().filter(|attached| attached.stdin == Input::Open) {
            loop {
                let count = match end.held(attached.id) {
                    [] => break,
                    bytes => taker(bytes),
                };
                if count == 0 {
                    break;
                }
                end.consume(attached.id, count);
            }
            if end.has_ended(attached.id) {
                attached.stdin = Input::Ended;
                given.is_ended = true;
            } else {
                given.is_open = true;
            }
        }
        given
    }

    /// Whether the client has not got all of what it was sent.
    pub fn is_waiting(&self) -> bool {
        !self.link.is_closed() && (self.link.is_waiting() || self.link.end.has_streams())
    }
}

/// The flow of a stream, and the other one.
fn flows(stream: Stream) -> (Flow, Flow) {
    match stream {
        Stream::Out => (Flow::Stdout, Flow::Stderr),
        Stream::Err => (Flow::Stderr, Flow::Stdout),
    }
}
