//! A flow that comes: what is held for its consumer.

use std::collections::VecDeque;

use crate::window::{OverWindow, ReceiveWindow};

/// The receiving end of a flow. It holds one window at most.
#[derive(Debug)]
pub struct Incoming {
    held: VecDeque<u8>,
    window: ReceiveWindow,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// EOF has come.
    Eof,
}

impl Incoming {
    pub fn new(window: u32) -> Self {
        Self { held: VecDeque::new(), window: ReceiveWindow::new(window), end: End::Open }
    }

    /// Takes bytes.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), OverWindow> {
        self.window.receive(bytes.len())?;
        self.held.extend(bytes);
        Ok(())
    }

    /// Counts bytes that nobody wants any more.
    pub fn drop_bytes(&mut self, bytes: &[u8]) -> Result<(), OverWindow> {
        self.window.receive(bytes.len())
    }

    pub fn eof(&mut self) {
        self.end = End::Eof;
    }

    /// Whether EOF has come.
    pub fn has_ended(&self) -> bool {
        self.end == End::Eof
    }

    /// The next bytes, in one piece; not all that are held, perhaps.
    pub fn held(&self) -> &[u8] {
        match self.held.as_slices() {
            (&[], second) => second,
            (first, _) => first,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Drops bytes that the consumer has taken.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.held.len());
        self.held.drain(..count);
        self.window.consume(count);
    }

    /// Drops all that is held: its consumer is gone.
    pub fn clear(&mut self) {
        self.held = VecDeque::new();
    }

    /// Credit to be given.
    pub fn grant(&mut self) -> Option<u32> {
        if self.has_ended() { None } else { self.window.grant() }
    }
}
