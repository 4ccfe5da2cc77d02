//! Where a guest's console goes, and what a terminal may see of it.

use std::io::{self, Write};

use nex_text::printable;

use crate::output::{StandardError, is_error_terminal};

/// Where a console goes.
pub enum Console {
    /// To nobody.
    Nowhere,
    /// To a file or program, or to the terminal whose keys the guest gets: byte for byte.
    Plain,
    /// To a terminal that somebody only looks at.
    Shown(Harmless),
}

impl Console {
    /// For somebody who only looks on.
    pub fn to_look_at() -> Self {
        if is_error_terminal() { Self::Shown(Harmless::default()) } else { Self::Plain }
    }

    /// Writes the last line, if it has no end. Who does not take it has had enough of it.
    pub fn finish(&mut self) {
        if let Self::Shown(harmless) = self {
            let _ = StandardError.write_all(harmless.finish().as_bytes());
        }
    }
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Nowhere => {}
            Self::Plain => StandardError.write_all(bytes)?,
            Self::Shown(harmless) => StandardError.write_all(harmless.take(bytes).as_bytes())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a console harmless for a terminal, line by line: nothing in it may steer the terminal.
#[derive(Default)]
pub struct Harmless {
    line: Vec<u8>,
}

impl Harmless {
    /// Longer lines come in pieces.
    const LONGEST: usize = 4096;

    /// Takes what was written, and gives what may be shown of it.
    pub fn take(&mut self, bytes: &[u8]) -> String {
        let mut shown = String::new();
        for byte in bytes {
            if *byte == b'\n' || self.line.len() >= Self::LONGEST {
                self.end_line(&mut shown);
            }
            if *byte != b'\n' {
                self.line.push(*byte);
            }
        }
        shown
    }

    /// Gives the last line, if it has no end.
    pub fn finish(&mut self) -> String {
        let mut shown = String::new();
        if !self.line.is_empty() {
            self.end_line(&mut shown);
        }
        shown
    }

    fn end_line(&mut self, shown: &mut String) {
        let end = self.line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
        shown.push_str(&printable(without_colours(&self.line[..end])));
        shown.push('\n');
        self.line.clear();
    }
}

/// Leaves out the sequences that inits colour their lines with: escape, bracket, numbers, a letter.
fn without_colours(line: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, behind)) = rest.split_first() {
        rest = match rest.strip_prefix(b"\x1b[") {
            Some(sequence) => {
                let numbers = sequence.iter().take_while(|byte| byte.is_ascii_digit() || b";?".contains(byte)).count();
                let (_, end) = sequence.split_at(numbers);
                if end.first().is_some_and(u8::is_ascii_alphabetic) { &end[1..] } else { end }
            }
            None => {
                text.push(*byte);
                behind
            }
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_console_steers_the_terminal() {
        let mut console = Harmless::default();
        assert_eq!(console.take(b"[\x1b[0;32m  OK  \x1b[0m] Started\r\nhalf"), "[  OK  ] Started\n");
        assert_eq!(console.take(b" a line\x07\x1b]0;title\x07\n"), "half a line\\u{7}\\u{1b}]0;title\\u{7}\n");
        assert_eq!(console.take("\u{9b}2J\n".as_bytes()), "\\u{9b}2J\n");
        assert_eq!(console.take(b"\x1b[\n\xff\n"), "\n\\xff\n");
        assert_eq!(console.take(b"login: "), "");
        assert_eq!(console.finish(), "login: \n");
        assert_eq!(console.finish(), "");
    }
}
