//! Where the last lines of an output begin.

use std::collections::VecDeque;

use nex_supervise::spool::Output;

/// Finds the last lines of what it is shown, in one pass.
#[derive(Debug)]
pub struct Tail {
    lines: u64,
    /// Where each of the last lines begins, as positions in all of the output.
    starts: VecDeque<u64>,
    /// Whether the next byte begins a line.
    is_at_start: bool,
    /// Where what was shown ends.
    end: u64,
}

impl Tail {
    /// One that finds so many lines.
    pub fn new(lines: u64) -> Self {
        Self { lines, starts: VecDeque::new(), is_at_start: true, end: 0 }
    }

    /// Takes the next piece.
    pub fn take(&mut self, output: &Output) {
        for (position, byte) in (output.position..).zip(&output.bytes) {
            if self.is_at_start {
                self.starts.push_back(position);
                if self.starts.len() as u64 > self.lines {
                    self.starts.pop_front();
                }
            }
            self.is_at_start = *byte == b'\n';
        }
        self.end = output.position.saturating_add(output.bytes.len() as u64);
    }

    /// Where the last lines begin; behind all of it where none are asked for.
    pub fn start(&self) -> u64 {
        self.starts.front().copied().unwrap_or(self.end)
    }
}

#[cfg(test)]
mod tests {
    use nex_supervise::UnixMillis;
    use nex_supervise::spool::Stream;

    use super::*;

    #[test]
    fn the_last_lines_begin_where_they_do() {
        let start = |lines, pieces: &[(u64, &str)]| {
            let mut tail = Tail::new(lines);
            for (position, text) in pieces {
                let bytes = text.as_bytes().to_vec();
                tail.take(&Output { stream: Stream::Out, time: UnixMillis(0), position: *position, bytes });
            }
            tail.start()
        };
        assert_eq!([0, 1, 2, 3, 9].map(|lines| start(lines, &[(0, "a\nb\nc\n")])), [6, 4, 2, 0, 0]);
        assert_eq!([1, 2].map(|lines| start(lines, &[(0, "a\nb"), (3, "b\nc")])), [5, 2]);
        assert_eq!(start(1, &[]), 0);
        // Other streams, and what is lost, are between.
        assert_eq!([1, 2].map(|lines| start(lines, &[(10, "x\n"), (100, "y\n")])), [100, 10]);
    }
}
