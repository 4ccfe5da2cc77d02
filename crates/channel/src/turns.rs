//! Whose frames come next when the carrier's room is short.

use crate::identity::StreamId;
use crate::outbox::{Outbox, Written};

/// The streams of an end, as far as their turns go.
pub trait Streams {
    /// The first stream with a number from this one on.
    fn from(&self, number: u32) -> Option<StreamId>;

    /// How many there are.
    fn count(&self) -> usize;

    /// Writes the frames of a stream that need no credit and are not to wait for others' bytes. A stream that ends with one goes.
    fn transmit_control(&mut self, stream: StreamId, out: &mut Outbox) -> Written;

    /// Writes one other frame of a stream, the same way.
    fn transmit_bytes(&mut self, stream: StreamId, out: &mut Outbox) -> Written;
}

/// Round robin: each stream has a turn for one frame before any has its second.
#[derive(Debug, Default)]
pub struct Turns {
    /// The number of the stream that had the last turn.
    last: u32,
}

impl Turns {
    /// Writes what there is room for.
    pub fn transmit(&mut self, streams: &mut impl Streams, out: &mut Outbox) {
        let mut number = self.last;
        for _ in 0..streams.count() {
            let Some(stream) = following(streams, number) else { return };
            number = stream.get();
            if streams.transmit_control(stream, out) == Written::NoRoom {
                return;
            }
        }
        let mut idle = 0;
        while idle < streams.count() {
            let Some(stream) = following(streams, self.last) else { return };
            match streams.transmit_bytes(stream, out) {
                Written::Frame => idle = 0,
                Written::Nothing => idle += 1,
                Written::NoRoom => return,
            }
            self.last = stream.get();
        }
    }
}

/// The next stream behind a number, or the first of all.
fn following(streams: &impl Streams, number: u32) -> Option<StreamId> {
    let next = number.checked_add(1).and_then(|number| streams.from(number));
    next.or_else(|| streams.from(0))
}
