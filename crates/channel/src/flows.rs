//! The three flows of a stream, as one end has them.

use crate::frame::Message;
use crate::identity::{Flow, StreamId};
use crate::incoming::Incoming;
use crate::kind::Kind;
use crate::outbox::{Outbox, Written};
use crate::outgoing::Outgoing;
use crate::violation::Violation;

/// How large the windows of both ends are, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    pub own: u32,
    pub other: u32,
}

/// The flows of a stream. Each goes in one direction, so that an end has it either way.
#[derive(Debug)]
pub struct Flows {
    stream: StreamId,
    incoming: [Option<Incoming>; 3],
    outgoing: [Option<Outgoing>; 3],
    /// Which of the outgoing ones is next.
    turn: usize,
    consumer: Consumer,
}

/// Who takes what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consumer {
    There,
    /// It comes, is counted and is dropped.
    Gone,
}

impl Flows {
    /// Those of a host: standard input goes, the others come.
    pub fn of_host(stream: StreamId, windows: Windows) -> Self {
        Self::new(stream, windows, |flow| flow == Flow::Stdin)
    }

    /// Those of a guest.
    pub fn of_guest(stream: StreamId, windows: Windows) -> Self {
        Self::new(stream, windows, |flow| flow != Flow::Stdin)
    }

    fn new(stream: StreamId, windows: Windows, goes: impl Fn(Flow) -> bool) -> Self {
        let outgoing = Flow::ALL.map(|flow| goes(flow).then(|| Outgoing::new(flow, windows.own, windows.other)));
        let incoming = Flow::ALL.map(|flow| (!goes(flow)).then(|| Incoming::new(windows.own)));
        Self { stream, incoming, outgoing, turn: 0, consumer: Consumer::There }
    }

    /// A flow that comes.
    pub fn incoming(&self, flow: Flow) -> Option<&Incoming> {
        self.incoming.get(usize::from(flow.number())).and_then(Option::as_ref)
    }

    pub fn incoming_mut(&mut self, flow: Flow) -> Option<&mut Incoming> {
        self.incoming.get_mut(usize::from(flow.number())).and_then(Option::as_mut)
    }

    /// A flow that goes.
    pub fn outgoing(&self, flow: Flow) -> Option<&Outgoing> {
        self.outgoing.get(usize::from(flow.number())).and_then(Option::as_ref)
    }

    pub fn outgoing_mut(&mut self, flow: Flow) -> Option<&mut Outgoing> {
        self.outgoing.get_mut(usize::from(flow.number())).and_then(Option::as_mut)
    }

    /// Takes bytes of a flow.
    pub fn receive(&mut self, flow: Flow, bytes: &[u8]) -> Result<(), Violation> {
        let (stream, consumer) = (self.stream, self.consumer);
        let incoming = self.open_incoming(Kind::Data, flow)?;
        let received = match consumer {
            Consumer::There => incoming.receive(bytes),
            Consumer::Gone => incoming.drop_bytes(bytes),
        };
        received.map_err(|_| Violation::OverWindow(stream, flow))
    }

    /// Takes the end of a flow.
    pub fn receive_eof(&mut self, flow: Flow) -> Result<(), Violation> {
        self.open_incoming(Kind::Eof, flow).map(Incoming::eof)
    }

    /// A flow on which the other end may still send.
    fn open_incoming(&mut self, kind: Kind, flow: Flow) -> Result<&mut Incoming, Violation> {
        let stream = self.stream;
        let incoming = self.incoming_mut(flow).ok_or(Violation::BadFlow(kind, flow.number()))?;
        if incoming.has_ended() { Err(Violation::OutOfPlace(kind, stream)) } else { Ok(incoming) }
    }

    /// Takes credit for a flow. What comes after its EOF crossed that on the way.
    pub fn receive_credit(&mut self, flow: Flow, count: u32) -> Result<(), Violation> {
        let stream = self.stream;
        let outgoing = self.outgoing_mut(flow).ok_or(Violation::BadFlow(Kind::Credit, flow.number()))?;
        outgoing.credit(count).map_err(|_| Violation::OverCredit(stream, flow))
    }

    /// Whether all flows that come have ended.
    pub fn have_come(&self) -> bool {
        self.incoming.iter().flatten().all(Incoming::has_ended)
    }

    /// Whether all flows that go have ended.
    pub fn have_gone(&self) -> bool {
        self.outgoing.iter().flatten().all(Outgoing::is_done)
    }

    /// Whether nothing is held for the consumer.
    pub fn are_drained(&self) -> bool {
        self.incoming.iter().flatten().all(Incoming::is_empty)
    }

    /// Ends all flows that go, behind what waits.
    pub fn finish(&mut self) {
        self.outgoing.iter_mut().flatten().for_each(Outgoing::finish);
    }

    /// Drops what comes, now and later, and gives no more credit for it.
    pub fn drop_incoming(&mut self) {
        self.consumer = Consumer::Gone;
        self.incoming.iter_mut().flatten().for_each(Incoming::clear);
    }

    /// Drops what waits to be sent, without EOF.
    pub fn drop_outgoing(&mut self) {
        self.outgoing.iter_mut().flatten().for_each(Outgoing::give_up);
    }

    /// Writes the credit that there is to give.
    pub fn transmit_credit(&mut self, out: &mut Outbox) -> Written {
        if self.consumer == Consumer::Gone {
            return Written::Nothing;
        }
        let mut written = Written::Nothing;
        for (flow, incoming) in Flow::ALL.into_iter().zip(&mut self.incoming) {
            // A grant counts as given, so there has to be room for it before.
            if !out.fits(size_of::<u32>()) {
                return Written::NoRoom;
            }
            if let Some(count) = incoming.as_mut().and_then(Incoming::grant) {
                written = out.frame(self.stream, Message::Credit(flow, count));
            }
        }
        written
    }

    /// Writes one frame of bytes, or of an end, of the flow whose turn it is, or of the next one that can.
    pub fn transmit(&mut self, out: &mut Outbox) -> Written {
        let count = self.outgoing.len();
        for step in 0..count {
            let place = (self.turn + step) % count;
            let outgoing = self.outgoing.get_mut(place).and_then(Option::as_mut);
            match outgoing.map_or(Written::Nothing, |outgoing| outgoing.transmit(self.stream, out)) {
                Written::Nothing => {}
                Written::Frame => {
                    self.turn = (place + 1) % count;
                    return Written::Frame;
                }
                Written::NoRoom => return Written::NoRoom,
            }
        }
        Written::Nothing
    }
}
