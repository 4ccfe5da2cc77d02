//! From events to lines.

use crate::check::check;
use crate::escape::{escape, escape_word};
use crate::event::{EndBy, Ended, Event, Exit, Output, Role, Source, Stream, Text};
use crate::{MARKER, MAX_TEXT};

/// The longest version that is written.
const MAX_VERSION: usize = 64;

/// Writes the lines of one process, and numbers them.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    last: u64,
}

impl Encoder {
    /// The encoder of a process that has written nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the event's line, with its newline, to `lines`. A text of more than [`MAX_TEXT`] bytes gives several lines when it
    /// is a program's output, and is cut otherwise.
    pub fn encode(&mut self, event: &Event, lines: &mut Vec<u8>) {
        let Event::Output(output) = event else { return self.line(lines, |line| other(event, line)) };
        let mut rest = &output.text[..];
        while let Some((part, behind)) = rest.split_at_checked(MAX_TEXT).filter(|(_, behind)| !behind.is_empty()) {
            self.line(lines, |line| self::output(output, part, false, line));
            rest = behind;
        }
        self.line(lines, |line| self::output(output, rest, output.line_ends, line));
    }

    fn line(&mut self, lines: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
        self.last += 1;
        let start = lines.len();
        lines.extend_from_slice(MARKER);
        body(lines);
        lines.extend_from_slice(format!(" #{}.", self.last).as_bytes());
        let check = check(&lines[start..]);
        lines.extend_from_slice(format!("{check:04x}\n").as_bytes());
    }
}

/// The kind of a line of output: `out`, `script-err+` and so on. A plus says that the line goes on.
pub(crate) fn output_kind(source: Source, stream: Stream, line_ends: bool) -> &'static [u8] {
    match (source, stream, line_ends) {
        (Source::Workload, Stream::Out, true) => b"out",
        (Source::Workload, Stream::Out, false) => b"out+",
        (Source::Workload, Stream::Err, true) => b"err",
        (Source::Workload, Stream::Err, false) => b"err+",
        (Source::BootScript, Stream::Out, true) => b"script-out",
        (Source::BootScript, Stream::Out, false) => b"script-out+",
        (Source::BootScript, Stream::Err, true) => b"script-err",
        (Source::BootScript, Stream::Err, false) => b"script-err+",
    }
}

fn output(output: &Output, text: &[u8], line_ends: bool, line: &mut Vec<u8>) {
    let kind = output_kind(output.source, output.stream, line_ends);
    timed_text(kind, output.uptime_ms, text, line);
}

/// The lines that are no program's output.
fn other(event: &Event, line: &mut Vec<u8>) {
    match event {
        Event::Start(start) => {
            words(line, "start", &start.version, start.role);
            number(line, "uptime_ms", start.uptime_ms);
        }
        Event::Ready(ready) => {
            words(line, "ready", &ready.version, ready.role);
            number(line, "start_ms", ready.start_ms);
            number(line, "uptime_ms", ready.uptime_ms);
        }
        Event::Output(part) => output(part, &part.text, part.line_ends, line),
        Event::Dropped { bytes } => {
            line.extend_from_slice(b"dropped");
            number(line, "bytes", *bytes);
        }
        Event::Exit(exit) => self::exit(exit, line),
        Event::Handover { uptime_ms } => {
            line.extend_from_slice(b"handover");
            number(line, "uptime_ms", *uptime_ms);
        }
        Event::Fail(text) => short_text(b"fail", text, line),
        Event::Note(text) => short_text(b"note", text, line),
        Event::End(end) => {
            line.extend_from_slice(b"end by=");
            line.extend_from_slice(name(&EndBy::ALL, end.by));
            number(line, "uptime_ms", end.uptime_ms);
        }
    }
}

fn words(line: &mut Vec<u8>, kind: &str, version: &str, role: Role) {
    line.extend_from_slice(kind.as_bytes());
    line.extend_from_slice(b" version=");
    escape_word(&version.as_bytes()[..version.len().min(MAX_VERSION)], line);
    line.extend_from_slice(b" role=");
    line.extend_from_slice(name(&Role::ALL, role));
}

fn exit(exit: &Exit, line: &mut Vec<u8>) {
    line.extend_from_slice(match exit.source {
        Source::Workload => b"exit".as_slice(),
        Source::BootScript => b"script-exit",
    });
    match exit.end {
        Ended::Code(code) => number(line, "code", code.into()),
        Ended::Signal(signal) => number(line, "signal", signal.into()),
        Ended::Unstarted(code) => number(line, "unstarted", code.into()),
    }
    number(line, "uptime_ms", exit.uptime_ms);
    if let Some(pause) = exit.restart_ms {
        number(line, "restart_ms", pause);
    }
}

fn short_text(kind: &[u8], text: &Text, line: &mut Vec<u8>) {
    timed_text(kind, text.uptime_ms, &text.text[..text.text.len().min(MAX_TEXT)], line);
}

fn timed_text(kind: &[u8], uptime_ms: u64, text: &[u8], line: &mut Vec<u8>) {
    line.extend_from_slice(kind);
    line.extend_from_slice(format!(" {uptime_ms}").as_bytes());
    if !text.is_empty() {
        line.push(b' ');
        escape(text, line);
    }
}

fn number(line: &mut Vec<u8>, field: &str, value: u64) {
    line.extend_from_slice(format!(" {field}={value}").as_bytes());
}

fn name<T: Copy + PartialEq>(all: &[(T, &'static [u8])], wanted: T) -> &'static [u8] {
    all.iter().find(|(value, _)| *value == wanted).map_or(b"?", |(_, name)| name)
}
