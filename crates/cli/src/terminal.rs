//! What of a guest's console the user's terminal may see.

use nex_text::printable;

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
        let text = String::from_utf8_lossy(&self.line);
        shown.push_str(&printable(without_colours(text.trim_end_matches('\r'))));
        shown.push('\n');
        self.line.clear();
    }
}

/// Leaves out the sequences that inits colour their lines with: escape, bracket, numbers, a letter.
fn without_colours(line: &str) -> String {
    let mut pieces = line.split("\x1b[");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|character: char| character.is_ascii_digit() || ";?".contains(character));
        let mut characters = rest.chars();
        match characters.next() {
            Some(letter) if letter.is_ascii_alphabetic() => text.push_str(characters.as_str()),
            _ => text.push_str(rest),
        }
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
        assert_eq!(console.take(b"\x1b[\n\xff\n"), "\n\u{fffd}\n");
        assert_eq!(console.take(b"login: "), "");
        assert_eq!(console.finish(), "login: \n");
        assert_eq!(console.finish(), "");
    }
}
