//! From bytes to messages: lines without a terminal's escapes, the kernel's without their time.

use std::ops::Range;

use nex_protocol::{Decoder, Event, Item};

use super::framing;

/// As much of one message is kept.
const LONGEST: usize = 1024;

/// As many bytes are read from the start, and from the end: a boot writes less than one MiB.
const MOST_BYTES: usize = 8 << 20;

/// As many messages are kept from the start, and from the end: a boot has a few thousand, and trouble shows first or
/// last.
const MOST_FIRST: usize = 50_000;
const MOST_LAST: usize = 50_000;

/// What a kernel begins with that gives up.
const PANIC: &str = "Kernel panic - not syncing: ";

/// One message.
#[derive(Debug)]
pub struct Message {
    /// The number of its line, from 1 on.
    pub line: u64,
    /// What it is.
    pub content: Content,
}

/// Who has written what.
#[derive(Debug)]
pub enum Content {
    /// The kernel, with a time before it.
    Kernel(String),
    /// Somebody: the init, a service, or a kernel that gives no time.
    Text(String),
    /// The agent.
    Event(Event),
}

impl Message {
    /// The text of a message that may be the kernel's.
    pub fn text(&self) -> &str {
        match &self.content {
            Content::Kernel(text) | Content::Text(text) => text,
            Content::Event(_) => "",
        }
    }

    /// The text for a reader.
    pub fn quote(&self) -> String {
        match &self.content {
            Content::Event(Event::Fail(fail)) => String::from_utf8_lossy(&fail.text).into_owned(),
            Content::Event(Event::Output(output)) => cut(&without_escapes(&output.text)).to_owned(),
            _ => self.text().to_owned(),
        }
    }

    /// What stands behind a prefix.
    pub fn after(&self, prefix: &str) -> Option<&str> {
        self.text().strip_prefix(prefix)
    }

    /// What stands between a prefix and the next `end` behind it.
    pub fn between(&self, prefix: &str, end: &str) -> Option<&str> {
        self.after(prefix)?.split_once(end).map(|(between, _)| between)
    }

    /// Whether it is something that was written, and no empty line.
    pub fn is_text(&self) -> bool {
        !self.text().is_empty()
    }
}

/// What is not read of a console: its middle, where it is longer than what is read of its start and its end.
pub fn unread(console: &[u8]) -> Range<usize> {
    MOST_BYTES.min(console.len())..console.len().saturating_sub(MOST_BYTES).max(MOST_BYTES.min(console.len()))
}

/// The messages of a console, in its order.
pub fn messages(console: &[u8]) -> Vec<Message> {
    let unread = unread(console);
    let mut messages = Vec::new();
    read(&console[..unread.start], 1, &mut messages);
    let lines = memchr::memchr_iter(b'\n', &console[..unread.end]).count() as u64;
    read(&console[unread.end..], lines + 1, &mut messages);
    if !messages.iter().any(|message| message.after(PANIC).is_some()) {
        messages.iter_mut().for_each(take_end_for_panic);
    }
    messages
}

/// A kernel ends a panic by telling its reason once more: of a console whose first part is gone, that is what is left.
fn take_end_for_panic(message: &mut Message) {
    if let Content::Kernel(text) | Content::Text(text) = &mut message.content
        && let Some(panic) = framing::end_of_panic(text)
    {
        *text = panic.to_owned();
    }
}

/// Reads a part of a console that begins in the line of this number.
fn read(console: &[u8], first: u64, messages: &mut Vec<Message>) {
    /// A line may be as long as all of the console.
    const PIECE: usize = 64 << 10;
    let mut decoder = Decoder::new();
    let mut last = first;
    for (number, line) in (first..).zip(console.split_inclusive(|&byte| byte == b'\n')) {
        last = number;
        for piece in line.chunks(PIECE) {
            take(decoder.push(piece), number, messages);
            if messages.len() > 2 * MOST_LAST + MOST_FIRST {
                messages.drain(MOST_FIRST..messages.len() - MOST_LAST);
            }
        }
    }
    take(decoder.finish(), last, messages);
}

fn take(items: Vec<Item>, line: u64, messages: &mut Vec<Message>) {
    for item in items {
        match item {
            Item::Event(event) => messages.push(Message { line, content: Content::Event(event) }),
            Item::Console(bytes) | Item::Damaged(bytes) => {
                // A terminal goes back to the line's start there, and writes over it.
                for part in bytes.split(|&byte| byte == b'\r') {
                    split(&without_escapes(part), line, messages);
                }
            }
            Item::Lost(_) | Item::Back(_) => {}
        }
    }
}

/// Takes apart what the kernel wrote behind somebody's unfinished line.
fn split(text: &str, line: u64, messages: &mut Vec<Message>) {
    let push = |content: Content, messages: &mut Vec<Message>| messages.push(Message { line, content });
    let Some((before, message)) = kernel_message(text) else {
        if let Some(message) = framing::dated(text) {
            push(Content::Kernel(cut(message).to_owned()), messages);
        } else if !text.trim().is_empty() {
            push(Content::Text(cut(without_level(text)).to_owned()), messages);
        }
        return;
    };
    if let Some(message) = framing::unquoted(before, message) {
        push(Content::Kernel(cut(&message).to_owned()), messages);
        return;
    }
    if !before.trim().is_empty() {
        push(Content::Text(cut(before).to_owned()), messages);
    }
    push(Content::Kernel(cut(message).to_owned()), messages);
}

/// What stands before the kernel's time, and the message behind it: `[    1.234567] text`, with `[T1]`, the caller,
/// before the text where the kernel gives it (`CONFIG_PRINTK_CALLER`).
fn kernel_message(text: &str) -> Option<(&str, &str)> {
    /// More than seconds and their fraction ever have.
    const LONGEST_TIME: usize = 32;
    let (start, end) = text.match_indices('[').find_map(|(start, _)| {
        let inside = text.get(start + 1..)?;
        let length = inside.bytes().take(LONGEST_TIME).position(|byte| byte == b']')?;
        let (seconds, fraction) = inside.get(..length)?.trim_start().split_once('.')?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        (digits(seconds) && digits(fraction) && fraction.len() == 6).then_some((start, start + 1 + length + 1))
    })?;
    let message = text.get(end..)?;
    let message = message.strip_prefix(' ').unwrap_or(message);
    Some((without_level(text.get(..start)?), without_caller(message)))
}

fn without_caller(message: &str) -> &str {
    let caller = message.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    match caller {
        Some((caller, rest)) => {
            let number = caller.trim_start().strip_prefix(['T', 'C']).unwrap_or_default();
            if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) { rest } else { message }
        }
        None => message,
    }
}

/// Without the level that `dmesg --raw` and `/dev/kmsg` put before a message.
fn without_level(text: &str) -> &str {
    let level = text.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match level {
        Some((level, rest)) if level.len() <= 3 && level.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => text,
    }
}

/// Text for people: without what moves a terminal's cursor or colours its letters (ECMA-48), and without control
/// characters.
pub fn without_escapes(bytes: &[u8]) -> String {
    const ESCAPE: char = '\x1b';
    const BELL: char = '\x07';
    let text = String::from_utf8_lossy(bytes);
    let mut kept = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ESCAPE => match letters.next() {
                // A control sequence ends with a letter or one of a few signs.
                Some('[') => while letters.next().is_some_and(|next| !('\x40'..='\x7e').contains(&next)) {},
                // A string for the terminal ends with a bell, or with an escape and a backslash.
                Some(']' | 'P' | '_' | '^') => {
                    while let Some(next) = letters.next_if(|&next| next != ESCAPE) {
                        if next == BELL {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\t' => kept.push(' '),
            letter if letter.is_control() => {}
            letter => kept.push(letter),
        }
    }
    kept
}

fn cut(text: &str) -> &str {
    let text = text.trim_end();
    let end = (0..=LONGEST.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{Content, messages};

    fn read(console: &[u8]) -> Vec<(u64, bool, String)> {
        let as_tuple = |message: super::Message| match message.content {
            Content::Kernel(text) => (message.line, true, text),
            Content::Text(text) => (message.line, false, text),
            Content::Event(event) => (message.line, false, format!("{event:?}")),
        };
        messages(console).into_iter().map(as_tuple).collect()
    }

    fn one(console: &[u8]) -> (bool, String) {
        let mut all = read(console);
        assert_eq!(all.len(), 1, "{all:?}");
        let (_, kernel, text) = all.remove(0);
        (kernel, text)
    }

    #[test]
    fn the_kernels_time_caller_and_level_are_taken_away() {
        let expected = (true, "VFS: x".to_owned());
        assert_eq!(one(b"[    1.739017] VFS: x\r\n"), expected);
        assert_eq!(one(b"[ 1201.739017][    T1] VFS: x\n"), (true, "VFS: x".to_owned()));
        assert_eq!(one(b"<6>[    1.739017] VFS: x"), expected);
        assert_eq!(one(b"[    1.739017] [   C12] VFS: x"), expected);
        assert_eq!(one(b"<3>VFS: x"), (false, "VFS: x".to_owned()));
        assert_eq!(one(b"[  OK  ] Started x"), (false, "[  OK  ] Started x".to_owned()));
        assert_eq!(one(b"[1.5] no time"), (false, "[1.5] no time".to_owned()));
    }

    #[test]
    fn a_message_behind_an_unfinished_line_is_one_of_its_own() {
        let both = read(b"first\nlogin: [    2.000000] Kernel panic - not syncing: x\n");
        let expected = [(1, false, "first"), (2, false, "login:"), (2, true, "Kernel panic - not syncing: x")];
        assert_eq!(both, expected.map(|(line, kernel, text)| (line, kernel, text.to_owned())));
        let vmm = read(b"2026-01-01T00:00:00 [vm:vcpu 0] [    0.100000] Linux version 6.1\n");
        assert_eq!(vmm.last().map(|message| message.2.as_str()), Some("Linux version 6.1"));
    }

    #[test]
    fn escapes_of_terminals_go() {
        assert_eq!(one(b"[\x1b[0;1;31m TIME \x1b[0m] Timed out\x1b[K").1, "[ TIME ] Timed out");
        assert_eq!(one(b"\x1b]0;title\x07text\x1b]1;x\x1b\\ and more").1, "text and more");
        assert_eq!(read(b"[*   ] waiting\r[  OK  ] Started\r\n").len(), 2);
    }

    #[test]
    fn of_an_endless_console_the_start_and_the_end_are_read() {
        const MIDDLE: usize = 1 << 20;
        let start = [b"first\n".to_vec(), b"\n".repeat(super::MOST_BYTES - 6)].concat();
        let end = [b"a\r".repeat(super::MOST_BYTES / 2 - 4), b"\nlast!\n\n".to_vec()].concat();
        let console = [start, b"\n".repeat(MIDDLE), b"[".repeat(MIDDLE), end].concat();
        assert_eq!(super::unread(&console).len(), 2 * MIDDLE);
        let all = read(&console);
        assert_eq!(all.first(), Some(&(1, false, "first".into())));
        let last = (super::MOST_BYTES + MIDDLE) as u64 - 3;
        assert_eq!(all.last(), Some(&(last, false, "last!".into())));
        assert!(all.len() <= 2 * super::MOST_LAST + super::MOST_FIRST);
        assert!(super::unread(&console[..super::MOST_BYTES * 2]).is_empty() && super::unread(b"").is_empty());
    }

    #[test]
    fn any_bytes_are_read() {
        for console in
            [&b"\x1b"[..], b"\x1b[", b"\x1b]", b"\xff\xfe\0[", b"[", b"[.]", b"[    1.000000]", b"<", b"\r\r\n"]
        {
            messages(console);
        }
        let long = [b"\xe2\x82\xac".repeat(5000), b"\n".to_vec()].concat();
        assert!(messages(&long).iter().all(|message| message.text().len() <= super::LONGEST));
    }
}
