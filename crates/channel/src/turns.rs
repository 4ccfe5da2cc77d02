//! Whose frames come next when the carrier's room is short.

use crate::identity::StreamId;
use crate::limits::HEADER;
use crate::outbox::{Outbox, WORTHWHILE, Written};

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

/// Round robin: each stream has a turn for one frame before any has its second. Frames without credit have turns of their own, and go
/// first, but leave half of the room to others: who sends them without a pause keeps nobody waiting.
#[derive(Debug, Default)]
pub struct Turns {
    /// The number of the stream that had the last turn.
    last: u32,
    /// The same for frames without credit.
    last_control: u32,
    next: First,
}

/// Whose frames go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum First {
    #[default]
    Control,
    /// A frame of bytes, which had no room behind the others.
    Bytes,
}

impl Turns {
    /// Writes what there is room for.
    pub fn transmit(&mut self, streams: &mut impl Streams, out: &mut Outbox) {
        if self.next == First::Bytes && self.bytes(streams, out, 1) == Written::NoRoom {
            return;
        }
        let before = out.room();
        self.control(streams, out);
        let is_after_control = out.room() < before;
        let before = out.room();
        let rest = self.bytes(streams, out, usize::MAX);
        let is_left_out = rest == Written::NoRoom && out.room() == before;
        self.next = if is_after_control && is_left_out { First::Bytes } else { First::Control };
    }

    /// Writes frames without credit.
    fn control(&mut self, streams: &mut impl Streams, out: &mut Outbox) {
        let all = out.room();
        // Room for a long frame stays, too.
        let kept = (all / 2).max(HEADER + WORTHWHILE);
        for _ in 0..streams.count() {
            let Some(stream) = following(streams, self.last_control) else { return };
            let mut written = out.keeping(kept, |out| streams.transmit_control(stream, out));
            if written == Written::NoRoom && out.room() == all {
                // It is longer than that. One such frame goes.
                written = streams.transmit_control(stream, out);
            }
            if written == Written::NoRoom {
                return;
            }
            self.last_control = stream.get();
        }
    }

    /// Writes as many other frames. [`Written::NoRoom`] says that one is left.
    fn bytes(&mut self, streams: &mut impl Streams, out: &mut Outbox, most: usize) -> Written {
        let (mut idle, mut count) = (0, 0);
        while idle < streams.count() && count < most {
            let Some(stream) = following(streams, self.last) else { break };
            match streams.transmit_bytes(stream, out) {
                Written::Frame => (idle, count) = (0, count + 1),
                Written::Nothing => idle += 1,
                Written::NoRoom => return Written::NoRoom,
            }
            self.last = stream.get();
        }
        Written::Nothing
    }
}

/// The next stream behind a number, or the first of all.
fn following(streams: &impl Streams, number: u32) -> Option<StreamId> {
    let next = number.checked_add(1).and_then(|number| streams.from(number));
    next.or_else(|| streams.from(0))
}
