//! One stream, as the guest has it.

use nex_contract::{MAX_REQUEST, Request};

use crate::exit::Exit;
use crate::flows::Flows;
use crate::frame::{Message, Part};
use crate::guest::GuestEvent;
use crate::identity::{Flow, StreamId};
use crate::incoming::Incoming;
use crate::outbox::{Outbox, Written};
use crate::outgoing::Outgoing;
use crate::violation::Violation;

/// What the guest knows of a stream, and what waits to be sent.
#[derive(Debug)]
pub struct Stream {
    state: State,
    host: Host,
    /// What waits to be the last frame.
    end: Option<End>,
    flows: Flows,
}

#[derive(Debug)]
enum State {
    /// Of the request, this has come.
    Opening(Vec<u8>),
    /// The request has no answer yet.
    Asked,
    /// OPENED waits.
    Accepted,
    /// OPENED is sent.
    Opened,
    /// The last frame is sent.
    Ended,
}

/// Whether the host still wants the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Wants,
    HasGivenUp,
}

#[derive(Clone, Debug)]
enum End {
    Exit(Exit),
    Reset(String),
}

impl Stream {
    /// A stream whose request is about to come.
    pub fn new(flows: Flows) -> Self {
        Self { state: State::Opening(Vec::new()), host: Host::Wants, end: None, flows }
    }

    /// Whether a part of its request is missing.
    pub fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening(_)) && self.end.is_none()
    }

    /// Whether the last frame is sent.
    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Takes what the host says.
    pub fn take(&mut self, id: StreamId, message: Message) -> Result<Option<GuestEvent>, Violation> {
        let kind = message.kind();
        if self.host == Host::HasGivenUp {
            return Err(Violation::OutOfPlace(kind, id));
        }
        let event = match (message, &mut self.state) {
            (Message::Open(bytes, part), State::Opening(request)) => {
                if request.len() + bytes.len() > MAX_REQUEST {
                    return Err(Violation::LongRequest(id));
                }
                request.extend_from_slice(bytes);
                return Ok(if part == Part::Last { self.asked(id) } else { None });
            }
            (Message::Reset(_), State::Opening(request)) => {
                // The confirmation may have to wait for room. What has come of the request has nothing to wait for.
                *request = Vec::new();
                self.host = Host::HasGivenUp;
                self.refuse("the request was given up before it was whole");
                None
            }
            (_, State::Opening(_)) | (Message::Open(..), _) => return Err(Violation::OutOfPlace(kind, id)),
            (Message::Data(flow, bytes), _) => {
                self.flows.receive(flow, bytes)?;
                Some(GuestEvent::Data(id))
            }
            (Message::Eof(flow), _) => {
                self.flows.receive_eof(flow)?;
                Some(GuestEvent::Eof(id))
            }
            (Message::Credit(flow, count), _) => {
                self.flows.receive_credit(flow, count)?;
                None
            }
            (Message::Signal(signal), _) => Some(GuestEvent::Signal(id, signal)),
            (Message::Resize(size), _) => Some(GuestEvent::Resize(id, size)),
            (Message::Reset(reason), _) => {
                self.host = Host::HasGivenUp;
                self.flows.drop_incoming();
                self.flows.drop_outgoing();
                Some(GuestEvent::Reset(id, reason))
            }
            (Message::Opened | Message::Exit(_), _) => return Err(Violation::WrongRole(kind)),
        };
        // What came after the end crossed it on the way.
        Ok(event.filter(|_| self.end.is_none()))
    }

    /// The request is whole.
    fn asked(&mut self, id: StreamId) -> Option<GuestEvent> {
        let State::Opening(json) = std::mem::replace(&mut self.state, State::Asked) else { return None };
        match Request::from_json(&json) {
            Ok(request) => Some(GuestEvent::Request(id, request)),
            Err(error) => {
                self.refuse(&error.to_string());
                None
            }
        }
    }

    pub fn accept(&mut self) {
        if matches!(self.state, State::Asked) && self.end.is_none() {
            self.state = State::Accepted;
        }
    }

    pub fn space(&self, flow: Flow) -> usize {
        self.flows.outgoing(flow).map_or(0, Outgoing::space)
    }

    pub fn send(&mut self, flow: Flow, bytes: &[u8]) -> usize {
        self.flows.outgoing_mut(flow).map_or(0, |output| output.send(bytes))
    }

    pub fn finish(&mut self, flow: Flow) {
        if let Some(output) = self.flows.outgoing_mut(flow) {
            output.finish();
        }
    }

    pub fn held(&self) -> &[u8] {
        self.flows.incoming(Flow::Stdin).map_or(&[], Incoming::held)
    }

    pub fn consume(&mut self, count: usize) {
        if let Some(stdin) = self.flows.incoming_mut(Flow::Stdin) {
            stdin.consume(count);
        }
    }

    pub fn has_ended(&self) -> bool {
        let stdin = self.flows.incoming(Flow::Stdin);
        stdin.is_none_or(|stdin| stdin.is_empty() && (self.end.is_some() || stdin.has_ended()))
    }

    pub fn exit(&mut self, exit: Exit) {
        if self.end.is_none() {
            self.accept();
            self.flows.finish();
            self.flows.drop_incoming();
            self.end = Some(End::Exit(exit));
        }
    }

    pub fn refuse(&mut self, reason: &str) {
        if self.end.is_none() {
            self.flows.drop_incoming();
            self.flows.drop_outgoing();
            self.end = Some(End::Reset(reason.to_owned()));
        }
    }

    /// Writes what needs no credit.
    pub fn transmit_control(&mut self, id: StreamId, out: &mut Outbox) -> Written {
        match (&self.end, self.host, &self.state) {
            (Some(End::Reset(_)), ..) | (Some(_), Host::HasGivenUp, _) => self.transmit_end(id, out),
            (None, Host::HasGivenUp, _) => Written::Nothing,
            (_, Host::Wants, State::Accepted) => {
                let written = out.frame(id, Message::Opened);
                if written == Written::Frame {
                    self.state = State::Opened;
                }
                written
            }
            (_, Host::Wants, State::Opened) => self.flows.transmit_credit(out),
            _ => Written::Nothing,
        }
    }

    /// Writes one frame of an output, or behind all of them how it has ended.
    pub fn transmit_bytes(&mut self, id: StreamId, out: &mut Outbox) -> Written {
        if !matches!(self.state, State::Opened) {
            return Written::Nothing;
        }
        match self.flows.transmit(out) {
            Written::Nothing if self.flows.have_gone() => self.transmit_end(id, out),
            written => written,
        }
    }

    fn transmit_end(&mut self, id: StreamId, out: &mut Outbox) -> Written {
        let written = match self.end.clone() {
            Some(End::Exit(exit)) => out.frame(id, Message::Exit(exit)),
            Some(End::Reset(reason)) => out.frame(id, Message::Reset(reason)),
            None => Written::Nothing,
        };
        if written == Written::Frame {
            self.state = State::Ended;
        }
        written
    }
}
