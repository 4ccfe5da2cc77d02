//! Text in a line: what is printable stays, all else is escaped, so that no byte can end a line, look like a marker, or talk
//! to a terminal.

use crate::MARKER;

/// Adds the text, escaped.
///
/// Characters of UTF-8 that are not control characters stay as they are. A backslash is doubled, a tab and a carriage return
/// become `\t` and `\r`, and any other byte becomes `\x` with two digits; so does a marker's first byte.
pub fn escape(text: &[u8], line: &mut Vec<u8>) {
    let mut rest = text;
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let (bytes, behind) = rest.split_at(character.len_utf8());
            match character {
                '\\' => line.extend_from_slice(b"\\\\"),
                '\t' => line.extend_from_slice(b"\\t"),
                '\r' => line.extend_from_slice(b"\\r"),
                _ if character.is_control() || rest.starts_with(MARKER) => bytes.iter().for_each(|&b| number(b, line)),
                _ => line.extend_from_slice(bytes),
            }
            rest = behind;
        }
        let (bytes, behind) = rest.split_at(chunk.invalid().len());
        bytes.iter().for_each(|&byte| number(byte, line));
        rest = behind;
    }
}

/// Adds a text that has to be one word.
pub fn escape_word(text: &[u8], line: &mut Vec<u8>) {
    let mut escaped = Vec::new();
    escape(text, &mut escaped);
    for byte in escaped {
        match byte {
            b' ' => number(byte, line),
            _ => line.push(byte),
        }
    }
}

fn number(byte: u8, line: &mut Vec<u8>) {
    line.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
}

/// The text that was escaped; `None` where a backslash has nothing sensible behind it.
pub fn unescape(mut escaped: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(escaped.len());
    while let [byte, rest @ ..] = escaped {
        escaped = rest;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        let [kind, rest @ ..] = escaped else { return None };
        escaped = rest;
        text.push(match kind {
            b'\\' => b'\\',
            b't' => b'\t',
            b'r' => b'\r',
            b'x' => {
                let [high, low, rest @ ..] = escaped else { return None };
                escaped = rest;
                digit(*high)? << 4 | digit(*low)?
            }
            _ => return None,
        });
    }
    Some(text)
}

/// A hexadecimal digit's value.
fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &[u8]) -> Vec<u8> {
        let mut line = Vec::new();
        escape(text, &mut line);
        line
    }

    #[test]
    fn people_can_read_what_is_text() {
        assert_eq!(escaped("Grüße, 世界 \u{1f980}".as_bytes()), "Grüße, 世界 \u{1f980}".as_bytes());
        assert_eq!(escaped(b"a\tb\\c\r\x1b[1m\x00\xff"), br"a\tb\\c\r\x1b[1m\x00\xff");
        // A control character of two bytes, which some terminals obey.
        assert_eq!(escaped("\u{9b}".as_bytes()), br"\xc2\x9b");
    }

    #[test]
    fn no_text_looks_like_a_marker() {
        assert_eq!(escaped(b"@nex1 ready"), br"\x40nex1 ready");
        assert_eq!(escaped(b"me@nex1.example"), b"me@nex1.example");
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(unescape(&escaped(&all)).unwrap(), all);
        for broken in [&b"\\"[..], b"\\x", b"\\x1", b"\\xg0", b"\\n", b"\\X00"] {
            assert_eq!(unescape(broken), None, "{}", broken.escape_ascii());
        }
    }
}
