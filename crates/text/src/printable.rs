//! What a guest, an image or a script has written, on a terminal.

/// A line as a terminal may see it: control characters but the tabulator are escaped, and what is not UTF-8 is replaced.
pub fn printable(line: impl AsRef<[u8]>) -> String {
    let mut shown = String::new();
    for character in String::from_utf8_lossy(line.as_ref()).chars() {
        match character {
            '\t' => shown.push('\t'),
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(printable("\x1b[2Ja\tb\r\u{9b}\u{e9}"), "\\u{1b}[2Ja\tb\\r\\u{9b}\u{e9}");
        assert_eq!(printable(b"\xff\0"), "\u{fffd}\\u{0}");
    }
}
