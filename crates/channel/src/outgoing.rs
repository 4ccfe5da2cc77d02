//! A flow that goes: what waits for credit and for room.

use std::collections::VecDeque;

use crate::frame::{Frame, Message};
use crate::identity::{Flow, StreamId};
use crate::outbox::{Outbox, Written};
use crate::window::{OverCredit, SendWindow};

/// The sending end of a flow. It holds one window at most, of the size that this end has.
#[derive(Debug)]
pub struct Outgoing {
    flow: Flow,
    waiting: VecDeque<u8>,
    capacity: usize,
    window: SendWindow,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// No more bytes come, and EOF waits behind those that are there.
    Waits,
    /// EOF is sent, or nobody waits for it.
    Done,
}

impl Outgoing {
    /// A flow that holds this many bytes, and whose other end takes `window`.
    pub fn new(flow: Flow, capacity: u32, window: u32) -> Self {
        let (waiting, window) = (VecDeque::new(), SendWindow::new(window));
        Self { flow, waiting, capacity: capacity as usize, window, end: End::Open }
    }

    /// How many bytes it takes now.
    pub fn space(&self) -> usize {
        if self.end == End::Open { self.capacity - self.waiting.len() } else { 0 }
    }

    /// Takes bytes, as many as there is space for, and says how many.
    pub fn send(&mut self, bytes: &[u8]) -> usize {
        let (taken, _) = bytes.split_at(bytes.len().min(self.space()));
        self.waiting.extend(taken);
        taken.len()
    }

    /// Takes no more bytes.
    pub fn finish(&mut self) {
        if self.end == End::Open {
            self.end = End::Waits;
        }
    }

    /// Drops what waits, without EOF.
    pub fn give_up(&mut self) {
        self.waiting = VecDeque::new();
        self.end = End::Done;
    }

    /// Whether all is sent, with EOF.
    pub fn is_done(&self) -> bool {
        self.end == End::Done
    }

    pub fn credit(&mut self, count: u32) -> Result<(), OverCredit> {
        self.window.grant(count)
    }

    /// Writes one frame.
    pub fn transmit(&mut self, stream: StreamId, out: &mut Outbox) -> Written {
        if self.waiting.is_empty() {
            return match self.end {
                End::Waits => self.transmit_end(stream, out),
                End::Open | End::Done => Written::Nothing,
            };
        }
        let ready = self.waiting.len().min(self.window.credit() as usize);
        if ready == 0 {
            return Written::Nothing;
        }
        // A piece that wraps around in the queue goes in two frames.
        let (piece, _) = self.waiting.as_slices();
        let Some(size) = out.payload(ready.min(piece.len())) else { return Written::NoRoom };
        let (bytes, _) = piece.split_at(size);
        let frame = Frame { stream, message: Message::Data(self.flow, bytes) };
        let written = out.write(frame.size(), |out| frame.encode(out));
        if written == Written::Frame {
            self.waiting.drain(..size);
            self.window.spend(size as u32);
        }
        written
    }

    fn transmit_end(&mut self, stream: StreamId, out: &mut Outbox) -> Written {
        let written = out.frame(stream, Message::Eof(self.flow));
        if written == Written::Frame {
            self.end = End::Done;
        }
        written
    }
}
