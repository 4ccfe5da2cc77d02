//! A program's output, cut into lines.

use std::time::{Duration, Instant};

use nex_protocol::{Event, MAX_TEXT, Output, Source, Stream};

use crate::clock::uptime_ms;

/// How long the rest of a line may take. A question at the end of a line has to reach whoever reads it.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// Cuts one stream. At most [`MAX_TEXT`] bytes wait in it for the rest of their line.
pub struct Framer {
    source: Source,
    stream: Stream,
    part: Vec<u8>,
    since: Instant,
}

impl Framer {
    /// The framer of a stream that nothing has come from yet.
    pub fn new(source: Source, stream: Stream) -> Self {
        Self { source, stream, part: Vec::new(), since: Instant::now() }
    }

    /// Takes the next bytes, and tells what is complete.
    pub fn push(&mut self, bytes: &[u8], mut tell: impl FnMut(&Event)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (line, line_ends) = match piece.strip_suffix(b"\n") {
                Some(line) => (line, true),
                None => (piece, false),
            };
            let mut rest = line;
            while self.part.len() + rest.len() > MAX_TEXT {
                let (now, later) = rest.split_at(MAX_TEXT - self.part.len());
                self.part.extend_from_slice(now);
                rest = later;
                tell(&self.take(false));
            }
            if self.part.is_empty() {
                self.since = Instant::now();
            }
            self.part.extend_from_slice(rest);
            if line_ends {
                tell(&self.take(true));
            }
        }
    }

    /// When the part that waits is told without the rest of its line.
    pub fn deadline(&self) -> Option<Instant> {
        (!self.part.is_empty()).then(|| self.since + PATIENCE)
    }

    /// Tells the part that waits.
    pub fn flush(&mut self, tell: impl FnOnce(&Event)) {
        if !self.part.is_empty() {
            tell(&self.take(false));
        }
    }

    fn take(&mut self, line_ends: bool) -> Event {
        let text = std::mem::take(&mut self.part);
        let Self { source, stream, .. } = *self;
        Event::Output(Output { source, stream, uptime_ms: uptime_ms(), text, line_ends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let mut framer = Framer::new(Source::Workload, Stream::Out);
        let mut parts = Vec::new();
        let mut keep = |event: &Event| {
            let Event::Output(output) = event else { panic!("output") };
            parts.push((output.text.clone(), output.line_ends));
        };
        pieces.iter().for_each(|piece| framer.push(piece, &mut keep));
        framer.flush(&mut keep);
        parts
    }

    #[test]
    fn lines_end_where_the_program_ends_them() {
        let expected = [(b"ab".to_vec(), true), (Vec::new(), true), (b"c".to_vec(), false)];
        assert_eq!(cut(&[b"a", b"b\n\n", b"", b"c"]), expected);
    }

    #[test]
    fn long_lines_are_told_in_parts_and_nothing_is_lost() {
        let line = vec![b'x'; 2 * MAX_TEXT];
        for size in [1, 1000, MAX_TEXT, 5000] {
            let mut pieces: Vec<&[u8]> = line.chunks(size).collect();
            pieces.push(b"\n");
            let parts = cut(&pieces);
            assert_eq!(parts.iter().map(|(text, _)| text.len()).sum::<usize>(), line.len(), "{size}");
            assert!(parts.iter().all(|(text, _)| text.len() <= MAX_TEXT));
            let ends: Vec<bool> = parts.iter().map(|(_, ends)| *ends).collect();
            assert_eq!(ends, [false, true], "{size}");
        }
    }
}
