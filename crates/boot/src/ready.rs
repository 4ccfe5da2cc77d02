//! What shows that a guest is ready.

use std::str::FromStr;
use std::time::{Duration, Instant};

use nex_diagnose::console::without_escapes;
use nex_guest::Session;
use nex_protocol::{Event, Item, MAX_LINE};
use nex_text::excerpt;
use regex_lite::{Regex, RegexBuilder};

use crate::report::ReadyBy;

/// What shows that a guest is ready.
#[derive(Clone, Debug, Default)]
pub enum ReadyWhen {
    /// Its agent reports.
    #[default]
    Agent,
    /// A line on its console matches, whoever writes it.
    Line(LinePattern),
    /// It has run for so long.
    After(Duration),
}

/// A regular expression for a line.
#[derive(Clone, Debug)]
pub struct LinePattern(Regex);

impl FromStr for LinePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        /// The most memory of a compiled expression, in bytes.
        const LARGEST: usize = 1 << 20;
        let made = RegexBuilder::new(text).size_limit(LARGEST).build();
        made.map(Self).map_err(|error| format!("this is no regular expression: {error}"))
    }
}

impl LinePattern {
    /// The expression as it was given.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Whether a guest is ready, and by what it was seen.
pub(crate) struct Readiness<'a> {
    when: &'a ReadyWhen,
    watch: LineWatch,
    shown: Option<(ReadyBy, Duration)>,
}

impl<'a> Readiness<'a> {
    /// A guest that was just started.
    pub fn new(when: &'a ReadyWhen) -> Self {
        Self { when, watch: LineWatch::default(), shown: None }
    }

    /// Takes what has come from the guest, so long after its start.
    pub fn take(&mut self, bytes: &[u8], items: &[Item], session: &Session) {
        let by = match self.when {
            ReadyWhen::Agent => session.stages().ready.is_some().then_some(ReadyBy::Agent),
            ReadyWhen::Line(pattern) => {
                self.watch.take(pattern, bytes, items);
                self.watch.found().map(|_| ReadyBy::Line)
            }
            ReadyWhen::After(_) => None,
        };
        self.show(by, session);
    }

    /// Takes note of the time: the guest runs still.
    pub fn look_at_the_time(&mut self, session: &Session) {
        if self.rests_at().is_some_and(|time| Instant::now() >= time) {
            self.look_at_the_rest(session);
        }
        if self.after().is_some_and(|time| session.elapsed() >= time) {
            self.show(Some(ReadyBy::Time), session);
        }
    }

    /// Takes the line that has no end yet for a whole one: nothing more comes, or nobody waits for it.
    pub fn look_at_the_rest(&mut self, session: &Session) {
        if let ReadyWhen::Line(pattern) = self.when {
            self.watch.look_at_the_rest(pattern);
            self.show(self.watch.found().map(|_| ReadyBy::Line), session);
        }
    }

    /// When to look at the guest again that is not ready, before its time is over.
    pub fn until(&self, time: Instant) -> Instant {
        self.rests_at().map_or(time, |rests| rests.min(time))
    }

    /// When the line that has no end yet counts as one that gets none.
    fn rests_at(&self) -> Option<Instant> {
        self.watch
            .grew
            .filter(|_| matches!(self.when, ReadyWhen::Line(_)) && self.shown.is_none())
            .map(|grew| grew + REST)
    }

    fn show(&mut self, by: Option<ReadyBy>, session: &Session) {
        self.shown = self.shown.or(by.map(|by| (by, session.elapsed())));
    }

    /// After what time the guest is ready, if that is what shows it.
    pub fn after(&self) -> Option<Duration> {
        match self.when {
            ReadyWhen::After(time) => Some(*time),
            ReadyWhen::Agent | ReadyWhen::Line(_) => None,
        }
    }

    /// By what it was seen that the guest is ready, and when.
    pub fn shown(&self) -> Option<(ReadyBy, Duration)> {
        self.shown
    }

    /// The line that has shown it.
    pub fn line(&self) -> Option<String> {
        self.watch.found().map(str::to_owned)
    }
}

/// How long a line has to stay without an end to be a prompt, and no part of a line: many times what an emulated guest takes from one
/// byte to the next.
const REST: Duration = Duration::from_millis(500);

/// Looks out for a line on a console. What of a line is past [`MAX_LINE`] bytes is not looked at.
#[derive(Debug, Default)]
pub(crate) struct LineWatch {
    /// The line that has no end yet: a prompt has none.
    line: Vec<u8>,
    /// Since when it has stood as it is, if nobody has looked at it.
    grew: Option<Instant>,
    found: Option<String>,
}

impl LineWatch {
    /// The line that was found, as a message may show it.
    pub fn found(&self) -> Option<&str> {
        self.found.as_deref()
    }

    /// Takes what has come: the console's bytes, and what is complete in them. The words of a program that nex's agent runs are
    /// in its events.
    pub fn take(&mut self, pattern: &LinePattern, bytes: &[u8], items: &[Item]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.look(pattern, &line);
            }
        }
        if !bytes.is_empty() {
            self.grew = (!self.line.is_empty()).then(Instant::now);
        }
        for item in items {
            if let Item::Event(Event::Output(output)) = item {
                self.look(pattern, &output.text);
            }
        }
    }

    /// Looks at the line that has no end yet.
    pub fn look_at_the_rest(&mut self, pattern: &LinePattern) {
        self.grew = None;
        let unfinished = std::mem::take(&mut self.line);
        self.look(pattern, &unfinished);
        self.line = unfinished;
    }

    fn look(&mut self, pattern: &LinePattern, line: &[u8]) {
        if self.found.is_some() || line.is_empty() {
            return;
        }
        let text = without_escapes(line);
        if pattern.0.is_match(&text) {
            self.found = Some(excerpt(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use nex_protocol::{Output, Source, Stream};

    use super::*;

    fn found(pattern: &str, pieces: &[&[u8]]) -> Option<String> {
        let (pattern, mut watch) = (pattern.parse().expect("an expression"), LineWatch::default());
        pieces.iter().for_each(|piece| watch.take(&pattern, piece, &[]));
        watch.look_at_the_rest(&pattern);
        watch.found
    }

    #[test]
    fn a_line_is_found_in_pieces_without_its_end_and_behind_colours() {
        assert_eq!(found("^ready: [0-9]+$", &[b"rea", b"dy: 1", b"7\r\nmore"]).as_deref(), Some("ready: 17"));
        assert_eq!(found("login: $", &[b"\r\nnex login: "]).as_deref(), Some("nex login:"));
        assert_eq!(found("^up$", &[b"\x1b[1;32mup\x1b[0m\r\n"]).as_deref(), Some("up"));
        assert_eq!(found("\u{fffd}x", &[b"\xffx\n"]).as_deref(), Some("\u{fffd}x"));
        assert_eq!(found("^up$", &[b"not up\nup not\n"]), None);
        assert_eq!(found("b", &[b"a\n", b"\n"]), None);
    }

    #[test]
    fn a_line_is_not_found_before_it_ends_or_rests() {
        let (pattern, mut watch) = ("^up".parse().expect("an expression"), LineWatch::default());
        watch.take(&pattern, b"up", &[]);
        assert!(watch.found().is_none() && watch.grew.is_some());
        watch.take(&pattern, b"link 1\n", &[]);
        assert_eq!((watch.found(), watch.grew), (Some("uplink 1"), None));
        let mut prompt = LineWatch::default();
        prompt.take(&pattern, b"up> ", &[]);
        prompt.look_at_the_rest(&pattern);
        assert_eq!((prompt.found(), prompt.grew), (Some("up>"), None));
    }

    #[test]
    fn the_words_of_a_program_are_found_as_it_wrote_them() {
        let pattern = "^listening on \\d+$".parse().expect("an expression");
        let text = b"listening on 80".to_vec();
        let (source, stream) = (Source::Workload, Stream::Out);
        let output = Event::Output(Output { source, stream, uptime_ms: 1, text, line_ends: true });
        let mut watch = LineWatch::default();
        watch.take(&pattern, b"@nex1 out 1 listening on 80 #2.0000\r\n", &[]);
        assert_eq!(watch.found(), None);
        watch.take(&pattern, b"", &[Item::Event(output)]);
        assert_eq!(watch.found(), Some("listening on 80"));
    }

    #[test]
    fn no_line_is_too_long_and_what_was_found_steers_no_terminal() {
        let (pattern, mut watch) = ("x\u{9b}?y".parse().expect("an expression"), LineWatch::default());
        for _ in 0..1000 {
            watch.take(&pattern, &[b'x'; 4096], &[]);
            assert!(watch.line.len() <= MAX_LINE);
        }
        watch.take(&pattern, "\n\u{202e}xy\n".as_bytes(), &[]);
        let line = watch.found().expect("found");
        assert!(line.chars().all(nex_text::is_printable) && line.len() < 100, "{line}");
    }

    #[test]
    fn expressions_have_a_size() {
        for bad in ["(", "a{1000}{1000}{1000}", "[z-a]"] {
            assert!(bad.parse::<LinePattern>().is_err_and(|error| error.contains("no regular expression")), "{bad}");
        }
    }
}
