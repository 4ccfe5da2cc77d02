//! The streams that a host has opened.

use std::collections::BTreeMap;

use super::stream::{Sent, Stream};
use crate::identity::StreamId;
use crate::outbox::{Outbox, Written};
use crate::turns::Streams;

/// The streams by number.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<StreamId, Stream>);

impl Table {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, id: StreamId) -> Option<&Stream> {
        self.0.get(&id)
    }

    pub fn get_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.0.get_mut(&id)
    }

    pub fn insert(&mut self, id: StreamId, stream: Stream) {
        self.0.insert(id, stream);
    }

    /// Removes a stream that nobody needs any more.
    pub fn tidy(&mut self, id: StreamId) {
        if self.0.get(&id).is_some_and(Stream::is_gone) {
            self.0.remove(&id);
        }
    }

    /// Gives all streams up, without a word to the guest.
    pub fn end(&mut self) {
        self.0.values_mut().for_each(Stream::end);
        self.0.retain(|_, stream| !stream.is_gone());
    }

    /// The stream whose request is next: requests go one after the other, in the order of their numbers.
    fn opening(&self) -> Option<StreamId> {
        self.0.iter().find(|(_, stream)| stream.is_opening()).map(|(id, _)| *id)
    }
}

impl Streams for Table {
    fn from(&self, number: u32) -> Option<StreamId> {
        let first = StreamId::new(number.max(1))?;
        self.0.range(first..).next().map(|(id, _)| *id)
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn transmit_control(&mut self, id: StreamId, out: &mut Outbox) -> Written {
        self.0.get_mut(&id).map_or(Written::Nothing, |stream| stream.transmit_control(id, out))
    }

    fn transmit_bytes(&mut self, id: StreamId, out: &mut Outbox) -> Written {
        let is_next = self.opening() == Some(id);
        let Some(stream) = self.0.get_mut(&id) else { return Written::Nothing };
        match stream.request_sent() {
            Sent::All => stream.transmit_bytes(out),
            Sent::Nothing | Sent::Part if is_next => stream.transmit_request(id, out),
            Sent::Nothing | Sent::Part => Written::Nothing,
        }
    }
}
