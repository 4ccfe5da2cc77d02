//! What scripts write, line by line.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use nex_text::printable;

/// The longest line of output that is passed on in one piece.
const LONGEST_LINE: u64 = 64 << 10;

/// How many of the last lines an error shows.
const SHOWN_LINES: usize = 10;

/// And how much of each.
const SHOWN_CHARACTERS: usize = 200;

/// Passes lines on, and gives the last ones, made fit for a message.
pub fn read_lines(output: File, line: &mut (dyn FnMut(&[u8]) + Send)) -> Vec<String> {
    let mut output = BufReader::new(output);
    let mut last = VecDeque::new();
    let mut bytes = Vec::new();
    while output.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        line(text);
        if last.len() == SHOWN_LINES {
            last.pop_front();
        }
        last.push_back(shown(text));
        bytes.clear();
    }
    last.into()
}

/// A line as a message shows it.
pub fn shown(line: &[u8]) -> String {
    printable(line.strip_suffix(b"\r").unwrap_or(line)).chars().take(SHOWN_CHARACTERS).collect()
}
