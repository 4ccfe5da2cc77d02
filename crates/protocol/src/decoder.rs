//! From a console to events.

use std::collections::VecDeque;
use std::mem;

use crate::event::Event;
use crate::line::Line;
use crate::noise::{last_marker, may_go_on, start};
use crate::{MARKER, MAX_LINE};

/// How many of the kernel's messages may stand in the middle of one line. A driver prints a few at once.
const MAX_NOISE: u32 = 64;

/// How many of the agent's lines are remembered to know one that comes twice. A console's second copy follows closely.
const REMEMBERED: usize = 8;

/// What a console holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An event of the agent's.
    Event(Event),
    /// A line of somebody else's, without its end; one longer than [`MAX_LINE`] comes in pieces.
    Console(Vec<u8>),
    /// A line of the agent's that cannot be read: others wrote in the middle of it.
    Damaged(Vec<u8>),
    /// This many of the agent's lines are missing here, by their numbers.
    Lost(u64),
    /// The numbers of the agent's lines go back to this one. Some of those before were not written by it now: somebody
    /// has shown an old log, or made lines up.
    Back(u64),
}

/// Reads a console as it comes. Its memory is bounded by a few times [`MAX_LINE`], whatever the guest writes.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The line that has no end yet.
    line: Vec<u8>,
    /// A line that a kernel's message broke.
    broken: Option<Broken>,
    last_number: u64,
    /// The last of the agent's lines, to know them again.
    seen: VecDeque<Vec<u8>>,
}

/// The first part of a broken line.
#[derive(Debug)]
struct Broken {
    part: Vec<u8>,
    messages: u32,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the console's next bytes, and gives what became complete with them.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let mut piece = piece;
            while !piece.is_empty() {
                let (now, later) = piece.split_at(piece.len().min(MAX_LINE.saturating_sub(self.line.len()).max(1)));
                self.line.extend_from_slice(now);
                piece = later;
                if self.line.ends_with(b"\n") {
                    let line = mem::take(&mut self.line);
                    self.end_line(without_end(&line), &mut items);
                } else if self.line.len() >= MAX_LINE {
                    self.shorten(&mut items);
                }
            }
        }
        items
    }

    /// Gives what is left when the console has ended.
    pub fn finish(mut self) -> Vec<Item> {
        let mut items = Vec::new();
        let line = mem::take(&mut self.line);
        if !line.is_empty() {
            self.end_line(without_end(&line), &mut items);
        }
        self.give_up(&mut items);
        items
    }

    /// Gives the part of an endless line that cannot belong to an event any more.
    fn shorten(&mut self, items: &mut Vec<Item>) {
        let kept = match last_marker(&self.line) {
            // An event this long is none.
            Some(0) => self.line.len(),
            Some(place) => place,
            None => self.line.len() - (MARKER.len() - 1),
        };
        let rest = self.line.split_off(kept);
        let given = mem::replace(&mut self.line, rest);
        self.give_up(items);
        items.push(others(given));
    }

    fn end_line(&mut self, line: &[u8], items: &mut Vec<Item>) {
        let Some(broken) = self.broken.take() else { return self.whole_line(line, items) };
        if last_marker(line).is_some() {
            // A new line, so nobody wrote the rest of the broken one.
            items.push(others(broken.part));
            return self.whole_line(line, items);
        }
        if start(line) == Some(0) && broken.messages < MAX_NOISE {
            self.broken = Some(Broken { messages: broken.messages + 1, ..broken });
            items.push(Item::Console(line.to_vec()));
            return;
        }
        let joined = [broken.part.as_slice(), line].concat();
        if joined.len() > MAX_LINE {
            items.push(others(broken.part));
            return self.whole_line(line, items);
        }
        if self.event(&joined, items) {
            return;
        }
        // It may be broken once more.
        match start(line) {
            Some(message) if broken.messages < MAX_NOISE => {
                let part = [broken.part.as_slice(), &line[..message]].concat();
                self.hold(part, broken.messages + 1, items);
                items.push(Item::Console(line[message..].to_vec()));
            }
            _ => {
                items.push(others(broken.part));
                self.whole_line(line, items);
            }
        }
    }

    /// Takes a line that begins here.
    fn whole_line(&mut self, line: &[u8], items: &mut Vec<Item>) {
        if let Some(marker) = last_marker(line) {
            let (before, own) = line.split_at(marker);
            if Line::parse(own).is_some() {
                if !before.is_empty() {
                    items.push(others(before.to_vec()));
                }
                self.event(own, items);
                return;
            }
        }
        let message = start(line);
        let fragment = message.and_then(|message| Some((message, may_go_on(&line[..message])?)));
        let Some((message, own)) = fragment else {
            items.push(others(line.to_vec()));
            return;
        };
        if own > 0 {
            items.push(others(line[..own].to_vec()));
        }
        self.hold(line[own..message].to_vec(), 1, items);
        items.push(Item::Console(line[message..].to_vec()));
    }

    /// Keeps the first part of a broken line, unless only its end was missing.
    fn hold(&mut self, part: Vec<u8>, messages: u32, items: &mut Vec<Item>) {
        if !self.event(&part, items) {
            self.broken = Some(Broken { part, messages });
        }
    }

    fn give_up(&mut self, items: &mut Vec<Item>) {
        if let Some(broken) = self.broken.take() {
            items.push(others(broken.part));
        }
    }

    /// Gives the event of one of our lines. Returns whether its check was right.
    fn event(&mut self, line: &[u8], items: &mut Vec<Item>) -> bool {
        let Some(parsed) = Line::parse(line) else { return false };
        let line = line.trim_ascii_end();
        let expected = self.last_number.saturating_add(1);
        if parsed.number == 1 {
            // The first line of a process starts the count anew.
            self.seen.clear();
        } else if parsed.number != expected && self.seen.iter().any(|seen| seen == line) {
            items.push(Item::Console(line.to_vec()));
            return true;
        } else if parsed.number < expected {
            // A number alone is no proof that a line came twice: a higher one may have been anybody's.
            items.push(Item::Back(parsed.number));
        } else if parsed.number > expected {
            items.push(Item::Lost(parsed.number - expected));
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(line.to_vec());
        self.last_number = parsed.number;
        items.push(parsed.event().map_or_else(|| Item::Console(line.to_vec()), Item::Event));
        true
    }
}

/// Something that is no event: a damaged one, if there is a marker in it.
fn others(line: Vec<u8>) -> Item {
    if last_marker(&line).is_some() { Item::Damaged(line) } else { Item::Console(line) }
}

/// A line without its newline, and without the carriage returns that a terminal puts before it.
fn without_end(line: &[u8]) -> &[u8] {
    let mut line = line.strip_suffix(b"\n").unwrap_or(line);
    while let Some(shorter) = line.strip_suffix(b"\r") {
        line = shorter;
    }
    line
}
