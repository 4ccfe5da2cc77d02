//! From one line to its event.

use crate::MARKER;
use crate::check::check;
use crate::encoder::output_kind;
use crate::escape::unescape;
use crate::event::{EndBy, Ended, Event, Exit, MachineEnd, Output, Ready, Role, Source, Start, Stream, Text};

/// What stands between a line's body and its number.
const TRAILER: &[u8] = b" #";

/// A line whose check is right.
pub struct Line<'a> {
    /// Its number.
    pub number: u64,
    body: &'a [u8],
}

impl<'a> Line<'a> {
    /// Takes a line apart that begins with the marker; `None` when the check does not hold, as in a line with a kernel's
    /// message in it.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let line = line.trim_ascii_end();
        let content = line.strip_prefix(MARKER)?;
        // The text may hold the same two bytes, but the last ones are the trailer's.
        let end = content.windows(TRAILER.len()).rposition(|window| window == TRAILER)?;
        let (body, trailer) = content.split_at(end);
        let dot = trailer.iter().position(|&byte| byte == b'.')?;
        let checked = MARKER.len() + end + dot + 1;
        let (covered, digits) = line.split_at_checked(checked)?;
        if digits != format!("{:04x}", check(covered)).as_bytes() {
            return None;
        }
        Some(Self { number: decimal(trailer.get(TRAILER.len()..dot)?)?, body })
    }

    /// The event; `None` for a kind that this version does not know, or without a field that its kind needs.
    pub fn event(&self) -> Option<Event> {
        let (kind, rest) = split_word(self.body);
        let fields = Fields(rest);
        match kind {
            b"start" => Some(Event::Start(Start {
                version: fields.version()?,
                role: fields.role()?,
                uptime_ms: fields.number(b"uptime_ms")?,
            })),
            b"ready" => Some(Event::Ready(Ready {
                version: fields.version()?,
                role: fields.role()?,
                start_ms: fields.number(b"start_ms")?,
                uptime_ms: fields.number(b"uptime_ms")?,
            })),
            b"dropped" => Some(Event::Dropped { bytes: fields.number(b"bytes")? }),
            b"handover" => Some(Event::Handover { uptime_ms: fields.number(b"uptime_ms")? }),
            b"exit" => fields.exit(Source::Workload),
            b"script-exit" => fields.exit(Source::BootScript),
            b"fail" => text(rest).map(|(uptime_ms, text)| Event::Fail(Text { uptime_ms, text })),
            b"note" => text(rest).map(|(uptime_ms, text)| Event::Note(Text { uptime_ms, text })),
            b"end" => {
                let by = one_of(&EndBy::ALL, fields.get(b"by")?)?;
                Some(Event::End(MachineEnd { by, uptime_ms: fields.number(b"uptime_ms")? }))
            }
            _ => output(kind, rest),
        }
    }
}

fn output(kind: &[u8], rest: &[u8]) -> Option<Event> {
    for source in [Source::Workload, Source::BootScript] {
        for stream in [Stream::Out, Stream::Err] {
            for line_ends in [true, false] {
                if kind == output_kind(source, stream, line_ends) {
                    let (uptime_ms, text) = text(rest)?;
                    return Some(Event::Output(Output { source, stream, uptime_ms, text, line_ends }));
                }
            }
        }
    }
    None
}

/// A time, and the text that follows it to the line's end.
fn text(rest: &[u8]) -> Option<(u64, Vec<u8>)> {
    let (time, text) = split_word(rest);
    Some((decimal(time)?, unescape(text)?))
}

/// Words of the form `name=value`. The first of a name counts.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        let words = self.0.split(|&byte| byte == b' ');
        words.filter_map(|word| word.strip_prefix(name)?.strip_prefix(b"=")).next()
    }

    fn number(&self, name: &[u8]) -> Option<u64> {
        decimal(self.get(name)?)
    }

    fn version(&self) -> Option<String> {
        Some(String::from_utf8_lossy(&unescape(self.get(b"version")?)?).into_owned())
    }

    fn role(&self) -> Option<Role> {
        one_of(&Role::ALL, self.get(b"role")?)
    }

    fn exit(&self, source: Source) -> Option<Event> {
        let small = |name: &[u8]| self.number(name).and_then(|number| u8::try_from(number).ok());
        let code = small(b"code").map(Ended::Code);
        let signal = || small(b"signal").map(Ended::Signal);
        let unstarted = || small(b"unstarted").map(Ended::Unstarted);
        let end = code.or_else(signal).or_else(unstarted)?;
        let restart_ms = self.number(b"restart_ms");
        Some(Event::Exit(Exit { source, end, uptime_ms: self.number(b"uptime_ms")?, restart_ms }))
    }
}

/// The bytes up to the first space, and those behind it.
fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == b' ') {
        Some(space) => (&text[..space], &text[space + 1..]),
        None => (text, b""),
    }
}

fn one_of<T: Copy>(all: &[(T, &'static [u8])], word: &[u8]) -> Option<T> {
    all.iter().find(|(_, name)| *name == word).map(|(value, _)| *value)
}

/// A number as the encoder writes it: digits alone.
fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}
