//! What a guest's program has written, on its way to those who read it.

use std::collections::VecDeque;

use nex_protocol::Stream;
use nex_supervise::api::Notice;
use nex_supervise::spool::{self, SpoolWriter};
use nex_supervise::{Losses, UnixMillis};

use crate::supervisor::control::Control;

/// The most bytes of one piece.
const PIECE: usize = 64 << 10;

/// Output that nobody has taken yet. It is kept on the disk as soon as it comes, where it is kept at all.
#[derive(Debug, Default)]
pub struct Output {
    /// What has come since the last [`settle`](Self::settle).
    fresh: VecDeque<(Stream, Vec<u8>)>,
    waiting: VecDeque<(Stream, Vec<u8>)>,
    /// How much of the first piece is taken.
    taken: usize,
    counts: Counts,
    spool: Option<SpoolWriter>,
    /// Who gets the console's lines.
    console: Option<Control>,
}

/// How many bytes a program has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// To its standard output.
    pub out: u64,
    /// To its standard error.
    pub err: u64,
}

impl Output {
    /// None yet.
    pub fn new(spool: Option<SpoolWriter>, console: Option<Control>) -> Self {
        Self { spool, console, ..Self::default() }
    }

    /// Adds what the program has written, and says how many bytes that are.
    pub fn push(&mut self, stream: Stream, bytes: &[u8]) -> usize {
        match self.fresh.back_mut() {
            Some((last, piece)) if *last == stream && piece.len() + bytes.len() <= PIECE => {
                piece.extend_from_slice(bytes);
            }
            _ if bytes.is_empty() => {}
            _ => self.fresh.push_back((stream, bytes.to_vec())),
        }
        match stream {
            Stream::Out => self.counts.out += bytes.len() as u64,
            Stream::Err => self.counts.err += bytes.len() as u64,
        }
        bytes.len()
    }

    /// Keeps what was added, and lets it be taken.
    pub fn settle(&mut self) {
        if let Some(spool) = &mut self.spool {
            for (stream, bytes) in &self.fresh {
                let stream = match stream {
                    Stream::Out => spool::Stream::Out,
                    Stream::Err => spool::Stream::Err,
                };
                spool.write(stream, bytes, UnixMillis::now());
            }
        }
        self.waiting.append(&mut self.fresh);
    }

    /// Shows a line of the console where that is asked for.
    pub fn show(&self, line: String) {
        if let Some(control) = &self.console {
            control.tell(&Notice::Console { text: line });
        }
    }

    /// What is to be taken next.
    pub fn next(&self) -> Option<(Stream, &[u8])> {
        let (stream, bytes) = self.waiting.front()?;
        Some((*stream, bytes.get(self.taken..).unwrap_or_default()))
    }

    /// So many bytes of it are taken.
    pub fn advance(&mut self, count: usize) {
        self.taken += count;
        if self.waiting.front().is_some_and(|(_, bytes)| self.taken >= bytes.len()) {
            self.waiting.pop_front();
            self.taken = 0;
        }
    }

    /// Whether all was taken.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether the guest should write no more for now.
    pub fn is_full(&self) -> bool {
        !self.is_empty() || self.console.as_ref().is_some_and(Control::is_full)
    }

    /// Forgets what the first guest wrote, where another one takes its place.
    pub fn clear(&mut self) {
        (self.fresh, self.waiting, self.taken) = (VecDeque::new(), VecDeque::new(), 0);
        self.counts = Counts::default();
    }

    /// How much there was.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What of it is not on the disk.
    pub fn losses(&self) -> Losses {
        self.spool.as_ref().map(SpoolWriter::losses).unwrap_or_default()
    }
}
