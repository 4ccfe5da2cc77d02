//! One stream, as the host has it.

use std::collections::VecDeque;

use nex_contract::{Stdin, TerminalSize};

use crate::flows::Flows;
use crate::frame::{Message, Part};
use crate::host::{GivenUp, HostEvent};
use crate::identity::{Flow, Signal, StreamId};
use crate::incoming::Incoming;
use crate::limits::MAX_SIGNALS;
use crate::outbox::{Outbox, Written};
use crate::outgoing::Outgoing;
use crate::violation::Violation;

/// What the host knows of a stream, and what waits to be sent.
#[derive(Debug)]
pub struct Stream {
    /// The request in JSON, as far as it is not sent.
    request: VecDeque<u8>,
    request_sent: Sent,
    answer: Answer,
    life: Life,
    flows: Flows,
    signals: VecDeque<Signal>,
    size: Option<TerminalSize>,
    /// The reason of a RESET that waits.
    reset: Option<String>,
}

/// How much of the request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Nothing,
    Part,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Awaited,
    Opened,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Live,
    /// The guest has to confirm its end.
    GivenUp,
    /// The guest sends nothing more for it.
    Ended,
}

impl Stream {
    pub fn new(request: Vec<u8>, stdin: Stdin, flows: Flows) -> Self {
        let mut stream = Self {
            request: request.into(),
            request_sent: Sent::Nothing,
            answer: Answer::Awaited,
            life: Life::Live,
            flows,
            signals: VecDeque::new(),
            size: None,
            reset: None,
        };
        if stdin == Stdin::Null {
            stream.finish();
        }
        stream
    }

    /// How much of the request is sent. One that is given up has no more to send.
    pub fn request_sent(&self) -> Sent {
        self.request_sent
    }

    /// Whether its request still has bytes to send.
    pub fn is_opening(&self) -> bool {
        self.life == Life::Live && self.request_sent != Sent::All
    }

    /// Whether nobody needs it any more.
    pub fn is_gone(&self) -> bool {
        match self.life {
            Life::Live => false,
            Life::GivenUp => self.request_sent == Sent::Nothing,
            Life::Ended => self.flows.are_drained(),
        }
    }

    /// Takes what the guest says.
    pub fn take(&mut self, id: StreamId, message: Message) -> Result<Option<HostEvent>, Violation> {
        let kind = message.kind();
        if self.life == Life::Ended || self.request_sent == Sent::Nothing {
            return Err(Violation::NotOpen(kind, id));
        }
        let (is_live, is_given_up) = (self.life == Life::Live, self.life == Life::GivenUp);
        let is_opened = self.answer == Answer::Opened;
        let is_whole = self.request_sent == Sent::All;
        let event = match message {
            Message::Reset(text) if is_whole || is_given_up => {
                self.end();
                return Ok(Some(HostEvent::Reset(id, text)));
            }
            Message::Exit(exit) if is_given_up || is_whole && is_opened && self.flows.have_come() => {
                self.end();
                return Ok(Some(HostEvent::Exit(id, exit)));
            }
            Message::Opened if is_whole && !is_opened => {
                self.answer = Answer::Opened;
                Some(HostEvent::Opened(id))
            }
            Message::Data(flow, bytes) if is_opened => {
                self.flows.receive(flow, bytes)?;
                Some(HostEvent::Data(id, flow))
            }
            Message::Eof(flow) if is_opened => {
                self.flows.receive_eof(flow)?;
                Some(HostEvent::Eof(id, flow))
            }
            Message::Credit(flow, count) if is_opened => {
                self.flows.receive_credit(flow, count)?;
                None
            }
            _ => return Err(Violation::OutOfPlace(kind, id)),
        };
        Ok(event.filter(|_| is_live))
    }

    /// Nothing more goes either way.
    pub fn end(&mut self) {
        self.life = Life::Ended;
        self.drop_waiting();
    }

    fn drop_waiting(&mut self) {
        self.flows.drop_outgoing();
        self.request = VecDeque::new();
        self.signals = VecDeque::new();
        self.size = None;
        self.reset = None;
    }

    pub fn space(&self) -> usize {
        self.flows.outgoing(Flow::Stdin).map_or(0, Outgoing::space)
    }

    pub fn send(&mut self, bytes: &[u8]) -> usize {
        self.flows.outgoing_mut(Flow::Stdin).map_or(0, |stdin| stdin.send(bytes))
    }

    pub fn finish(&mut self) {
        self.flows.finish();
    }

    pub fn signal(&mut self, signal: Signal) -> bool {
        let has_place = self.life == Life::Live && self.signals.len() < MAX_SIGNALS;
        if has_place {
            self.signals.push_back(signal);
        }
        has_place
    }

    pub fn resize(&mut self, size: TerminalSize) {
        if self.life == Life::Live {
            self.size = Some(size);
        }
    }

    pub fn give_up(&mut self, reason: &str) -> GivenUp {
        self.flows.drop_incoming();
        if self.life == Life::Live {
            self.life = Life::GivenUp;
            self.drop_waiting();
            self.reset = Some(reason.to_owned());
        }
        if self.is_gone() { GivenUp::Gone } else { GivenUp::Awaited }
    }

    pub fn held(&self, flow: Flow) -> &[u8] {
        self.flows.incoming(flow).map_or(&[], Incoming::held)
    }

    pub fn consume(&mut self, flow: Flow, count: usize) {
        if let Some(incoming) = self.flows.incoming_mut(flow) {
            incoming.consume(count);
        }
    }

    pub fn has_ended(&self, flow: Flow) -> bool {
        let is_over = self.life == Life::Ended;
        self.flows.incoming(flow).is_none_or(|incoming| incoming.is_empty() && (is_over || incoming.has_ended()))
    }

    /// Writes the next part of the request.
    pub fn transmit_request(&mut self, id: StreamId, out: &mut Outbox) -> Written {
        let waiting = self.request.make_contiguous();
        let Some(size) = out.payload(waiting.len()) else { return Written::NoRoom };
        let (bytes, rest) = waiting.split_at(size);
        let (part, sent) = if rest.is_empty() { (Part::Last, Sent::All) } else { (Part::More, Sent::Part) };
        let written = out.frame(id, Message::Open(bytes, part));
        if written == Written::Frame {
            self.request.drain(..size);
            self.request_sent = sent;
        }
        if self.request.is_empty() {
            self.request = VecDeque::new();
        }
        written
    }

    /// Writes what needs no credit, once the request is sent.
    pub fn transmit_control(&mut self, id: StreamId, out: &mut Outbox) -> Written {
        if let Some(reason) = self.reset.take() {
            let written = out.frame(id, Message::Reset(reason.clone()));
            if written == Written::NoRoom {
                self.reset = Some(reason);
            }
            return written;
        }
        if self.life != Life::Live || self.request_sent != Sent::All {
            return Written::Nothing;
        }
        if let Some(size) = self.size {
            if out.frame(id, Message::Resize(size)) == Written::NoRoom {
                return Written::NoRoom;
            }
            self.size = None;
        }
        while let Some(signal) = self.signals.front() {
            if out.frame(id, Message::Signal(*signal)) == Written::NoRoom {
                return Written::NoRoom;
            }
            self.signals.pop_front();
        }
        self.flows.transmit_credit(out)
    }

    /// Writes one frame of standard input, once the request is sent.
    pub fn transmit_bytes(&mut self, out: &mut Outbox) -> Written {
        if self.request_sent == Sent::All { self.flows.transmit(out) } else { Written::Nothing }
    }
}
