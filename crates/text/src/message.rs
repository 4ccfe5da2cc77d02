//! A message as it leaves nex.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use crate::cut::cut;
use crate::printable;
use crate::user_info::without_user_info;

/// The longest line of a message, in bytes. No terminal shows more of one at once.
const LINE: usize = 4096;

/// A message for a terminal: one line of 4096 bytes at most, with nothing but printable characters in it. What stands before it, as
/// `error: `, is a part of it.
///
/// The last thing that happens to a message: what stands in it was to be escaped already, and a text that nobody has thought of is
/// now. What a message has below it are [`Lines`].
pub fn message(text: &str) -> String {
    cut(&one_line(text), LINE)
}

/// A message of any length: with nothing but printable characters in it, in one line, and without the users of URLs. It is to
/// become a part of a [`message`].
pub fn one_line(text: &str) -> String {
    without_user_info(&printable(text.strip_suffix('\n').unwrap_or(text))).into_owned()
}

/// A text of nex's own lines, as a report is: printable, with its line breaks. Nothing else in it is changed or cut.
pub fn lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        shown += &printable(line.strip_suffix('\n').unwrap_or(line));
        shown.extend(line.ends_with('\n').then_some('\n'));
    }
    shown
}

/// Lines below an error's message, as the source of that error: apart from the message, so that no line break in that can pass
/// for one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines(Vec<String>);

impl Lines {
    /// These lines; `None` when there is none.
    pub fn new(lines: impl IntoIterator<Item = String>) -> Option<Self> {
        let lines: Vec<_> = lines.into_iter().collect();
        if lines.is_empty() { None } else { Some(Self(lines)) }
    }

    /// Each as a terminal may see it, to be a part of a [`message`].
    pub fn shown(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|line| one_line(line))
    }
}

impl Display for Lines {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl Error for Lines {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(message("error: 'a\nerror: forged\r\n'"), r"error: 'a\nerror: forged\r\n'");
        assert_eq!(message("a\n  b\u{9b}\x1b[m \u{202e}\n"), r"a\n  b\u{9b}\u{1b}[m \u{202e}");
    }

    #[test]
    fn who_the_user_of_a_url_is_is_in_no_message() {
        let message = message("cannot get https://u:p@host/x?y, which 'http://t@other' names");
        assert_eq!(message, "cannot get https://***@host/x?y, which 'http://***@other' names");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(lines("a\x1b\n\tb\r\n\nc"), "a\\u{1b}\n\tb\\r\n\nc");
        assert_eq!(lines(""), "");
        let below = Lines::new(["a\n".to_owned(), "b\nc".to_owned()]);
        assert_eq!(below.map(|lines| Vec::from_iter(lines.shown())), Some(vec!["a".into(), "b\\nc".into()]));
        assert_eq!(Lines::new([]), None);
    }

    #[test]
    fn a_message_that_has_been_through_stays() {
        for text in [
            "error: x:\n  one\x1b\n  two \\n",
            "a\u{202e}\nb",
            &"x".repeat(10_000),
            &"\x1b\n".repeat(5000),
            "http://a:b@c/",
        ] {
            let once = message(text);
            assert_eq!((message(&once), lines(&once)), (once.clone(), once.clone()));
            assert!(once.len() <= LINE && !once.contains('\n'));
        }
    }
}
