//! The room that a carrier has, and frames into it.

use crate::frame::{Frame, Message};
use crate::identity::StreamId;
use crate::limits::{HEADER, MAX_PAYLOAD};

/// Less of a long frame is not worth its header, when more waits.
pub const WORTHWHILE: usize = 512;

/// Where frames go, up to a length.
pub struct Outbox<'a> {
    bytes: &'a mut Vec<u8>,
    room: usize,
}

/// Whether a frame was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Frame,
    /// Nothing waits, or it waits for credit.
    Nothing,
    /// There is too little room.
    NoRoom,
}

impl<'a> Outbox<'a> {
    /// Adds at most this many bytes to what is there.
    pub fn new(bytes: &'a mut Vec<u8>, room: usize) -> Self {
        Self { bytes, room }
    }

    /// Writes bytes that are no frame of a stream, if there is room for them.
    pub fn write(&mut self, size: usize, encode: impl FnOnce(&mut Vec<u8>)) -> Written {
        let Some(room) = self.room.checked_sub(size) else { return Written::NoRoom };
        self.room = room;
        encode(self.bytes);
        Written::Frame
    }

    /// Writes a frame, if there is room for it.
    pub fn frame(&mut self, stream: StreamId, message: Message) -> Written {
        let frame = Frame { stream, message };
        self.write(frame.size(), |bytes| frame.encode(bytes))
    }

    /// How many bytes it still takes.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Writes with so many bytes of the room kept back for others.
    pub fn keeping<T>(&mut self, bytes: usize, write: impl FnOnce(&mut Self) -> T) -> T {
        let kept = bytes.min(self.room);
        self.room -= kept;
        let written = write(self);
        self.room += kept;
        written
    }

    /// Whether there is room for a frame with a payload of this length.
    pub fn fits(&self, payload: usize) -> bool {
        self.room >= HEADER + payload
    }

    /// How many bytes of so many a long frame can take; `None` when it is not worth one.
    pub fn payload(&self, waiting: usize) -> Option<usize> {
        let wanted = waiting.min(MAX_PAYLOAD);
        let size = self.room.saturating_sub(HEADER).min(wanted);
        (size >= wanted.min(WORTHWHILE)).then_some(size)
    }
}
