//! What a guest, an image, a server or a script has written, as a terminal may see it.

use crate::is_printable;

/// A text as a line of its own: what is not printable is escaped, but for the tabulator, as `\n` or `\u{1b}`, and what is not
/// UTF-8 as `\xff`. What is escaped already stays as it is.
pub fn printable(text: impl AsRef<[u8]>) -> String {
    escape(text.as_ref(), |character| character == '\t' || is_printable(character))
}

/// A name, for a report or a message: escaped as [`printable`] does, and so that no other name looks the same, with the
/// backslash as `\\`.
pub fn name(name: impl AsRef<[u8]>) -> String {
    escape(name.as_ref(), |character| character != '\\' && is_printable(character))
}

fn escape(bytes: &[u8], stays: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                _ if stays(character) => shown.push(character),
                '\\' | '\t' | '\n' | '\r' => shown.extend(character.escape_default()),
                _ => shown.extend(character.escape_unicode()),
            }
        }
        shown.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(printable("\x1b[2Ja\tb\r\u{9b}\u{e9}\n"), "\\u{1b}[2Ja\tb\\r\\u{9b}\u{e9}\\n");
        assert_eq!(printable("\u{202e}gpj.exe\u{200b}\u{e0041}"), r"\u{202e}gpj.exe\u{200b}\u{e0041}");
        assert_eq!(printable(b"\xff\0\x9b"), r"\xff\u{0}\x9b");
    }

    #[test]
    fn a_line_that_is_escaped_stays_and_a_name_is_no_other() {
        assert_eq!(printable(printable("\x1b\\\n")), r"\u{1b}\\n");
        assert_eq!(name(b"\x1b\xff\t'"), r"\u{1b}\xff\t'");
        assert_eq!(name(r"\u{1b}\xff"), r"\\u{1b}\\xff");
    }
}
