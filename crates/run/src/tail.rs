//! The last lines of a guest's console, for those who ask why it failed.

use std::collections::VecDeque;

use nex_text::printable;

/// As many lines are kept: a panic's message stands above its registers and its trace.
const LINES: usize = 60;

/// As many bytes are kept of each.
const LONGEST: usize = 400;

/// The last lines.
#[derive(Debug, Default)]
pub struct Tail(VecDeque<String>);

impl Tail {
    /// Adds a line.
    pub fn add(&mut self, line: &[u8]) {
        if self.0.len() == LINES {
            self.0.pop_front();
        }
        self.0.push_back(readable(line));
    }

    /// What is kept, a line each.
    pub fn lines(self) -> Vec<String> {
        self.0.into()
    }
}

/// The start of a line, as a terminal may see it.
pub fn readable(line: &[u8]) -> String {
    printable(line.get(..LONGEST).unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept_and_none_steers_a_terminal() {
        let mut tail = Tail::default();
        (0..100).for_each(|number| tail.add(format!("\x1b[2Jline {number}\r").as_bytes()));
        tail.add(&[b'x'; 1000]);
        let lines = tail.lines();
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[LINES - 2], "\\u{1b}[2Jline 99\\r");
        assert_eq!(lines[LINES - 1].len(), LONGEST);
    }
}
