//! The streams that a host has opened, as the guest has them.

use std::collections::BTreeMap;

use super::stream::Stream;
use crate::flows::{Flows, Windows};
use crate::frame::Message;
use crate::guest::GuestEvent;
use crate::identity::StreamId;
use crate::limits::MAX_STREAMS;
use crate::outbox::{Outbox, Written};
use crate::turns::Streams;
use crate::violation::Violation;

/// The streams by number, and the highest number of all.
#[derive(Debug)]
pub struct Table {
    streams: BTreeMap<StreamId, Stream>,
    last: Option<StreamId>,
    windows: Windows,
}

impl Table {
    pub fn new(windows: Windows) -> Self {
        Self { streams: BTreeMap::new(), last: None, windows }
    }

    pub fn get(&self, id: StreamId) -> Option<&Stream> {
        self.streams.get(&id)
    }

    pub fn get_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.streams.get_mut(&id)
    }

    /// Whether no stream is open.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Takes what the host says.
    pub fn take(&mut self, id: StreamId, message: Message) -> Result<Option<GuestEvent>, Violation> {
        if let Some(stream) = self.streams.get_mut(&id) {
            return stream.take(id, message);
        }
        let (kind, is_new) = (message.kind(), self.last < Some(id));
        match message {
            Message::Open(..) if is_new => self.open(id, message),
            Message::Open(..) => Err(Violation::NumberReused(id)),
            _ if is_new => Err(Violation::NotOpen(kind, id)),
            // It crossed the stream's end on the way.
            _ => Ok(None),
        }
    }

    fn open(&mut self, id: StreamId, message: Message) -> Result<Option<GuestEvent>, Violation> {
        // Requests come one after the other, so that one at most is held.
        if self.last.and_then(|last| self.streams.get(&last)).is_some_and(Stream::is_opening) {
            return Err(Violation::OutOfPlace(message.kind(), id));
        }
        if self.streams.len() >= MAX_STREAMS {
            return Err(Violation::TooManyStreams);
        }
        self.last = Some(id);
        let stream = self.streams.entry(id).or_insert_with(|| Stream::new(Flows::of_guest(id, self.windows)));
        stream.take(id, message)
    }

    fn tidy(&mut self, id: StreamId) {
        if self.streams.get(&id).is_some_and(Stream::is_gone) {
            self.streams.remove(&id);
        }
    }
}

impl Streams for Table {
    fn from(&self, number: u32) -> Option<StreamId> {
        let first = StreamId::new(number.max(1))?;
        self.streams.range(first..).next().map(|(id, _)| *id)
    }

    fn count(&self) -> usize {
        self.streams.len()
    }

    fn transmit_control(&mut self, id: StreamId, out: &mut Outbox) -> Written {
        let written = self.streams.get_mut(&id).map_or(Written::Nothing, |stream| stream.transmit_control(id, out));
        self.tidy(id);
        written
    }

    fn transmit_bytes(&mut self, id: StreamId, out: &mut Outbox) -> Written {
        let written = self.streams.get_mut(&id).map_or(Written::Nothing, |stream| stream.transmit_bytes(id, out));
        self.tidy(id);
        written
    }
}
