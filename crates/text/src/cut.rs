//! Texts of any length, cut for a message.

use crate::user_info::without_user_info;
use crate::{name, printable};

/// A name in a message, in bytes: more than the longest of a file, less than makes a reader lose the sentence.
const NAME: usize = 256;

/// What a server says in a message, in bytes.
const EXCERPT: usize = 256;

/// What a program says at its end, in bytes.
const WORDS: usize = 2048;

/// A name for a message: as [`name`] has it, and of a long one both ends.
pub fn short_name(text: impl AsRef<[u8]>) -> String {
    cut(&without_user_info(&name(text)), NAME)
}

/// The words of a server for a message: in one line, and of many both ends.
pub fn excerpt(text: impl AsRef<[u8]>) -> String {
    cut(&without_user_info(&printable(text.as_ref().trim_ascii())), EXCERPT)
}

/// The lines of a program for a message: in one line, with `; ` between them, and of many both ends.
pub fn in_one_line(text: impl AsRef<[u8]>) -> String {
    let lines = text.as_ref().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let mut whole = String::new();
    let mut goes_on = true;
    for line in lines {
        if !goes_on {
            whole.push_str("; ");
        }
        // A line that ends with a backslash goes on in the next, as in a shell.
        let (start, is_cut) = line.strip_suffix(b"\\").map_or((line, false), |start| (start.trim_ascii_end(), true));
        whole.push_str(&printable(start));
        goes_on = is_cut;
        if goes_on {
            whole.push(' ');
        }
    }
    cut(&without_user_info(whole.trim_end()), WORDS)
}

/// Both ends of a text of more bytes than `most`, and how many it has.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let middle = format!("\u{2026} ({} bytes in all) \u{2026}", text.len());
    let room = most.saturating_sub(middle.len());
    // The end of a path or of a message tells more than its middle, and its start the most.
    let boundary = |near: usize| (0..=near).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let start = boundary(room - room / 3);
    let end = (text.len() - room / 3..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    format!("{}{middle}{}", &text[..start], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_name_both_ends_stay() {
        let long = format!("/start/{}/end", "\u{e9}".repeat(200_000));
        let short = short_name(&long);
        assert!(short.len() <= NAME && short.starts_with("/start/\u{e9}") && short.ends_with("\u{e9}/end"), "{short}");
        assert!(short.contains("(400011 bytes in all)"), "{short}");
        assert_eq!(short_name("a".repeat(NAME)), "a".repeat(NAME));
        assert!(short_name([b'\x1b'; 100_000]).len() <= NAME);
    }

    #[test]
    fn nothing_cut_is_longer_than_it_may_be() {
        for most in 0..100 {
            for text in ["\u{1f980}".repeat(60), "a".repeat(240)] {
                let shortest = "\u{2026} (240 bytes in all) \u{2026}".len();
                assert!(cut(&text, most).len() <= most.max(shortest), "{most}");
            }
        }
    }

    #[test]
    fn lines_become_one() {
        assert_eq!(in_one_line("the user is \\\n   configured\nend\\"), "the user is configured; end");
        assert_eq!(in_one_line("\r\none\r\n\n  two\x1b[m\n"), r"one; two\u{1b}[m");
        assert_eq!(excerpt(" a\nb "), r"a\nb");
        assert!(in_one_line("x\n".repeat(100_000)).len() <= WORDS);
    }
}
