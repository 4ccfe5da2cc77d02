//! Reports for programs.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::Error;
use serde_json::ser::{Formatter, Serializer};

/// One line of JSON, with its end, in which nothing steers a terminal: strings have `\u202e` where the character would stand.
///
/// # Errors
/// When a value has no form in JSON.
pub fn line(value: &impl Serialize) -> serde_json::Result<String> {
    let mut line = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut line, Printable))?;
    line.push(b'\n');
    String::from_utf8(line).map_err(Error::custom)
}

/// Compact JSON whose strings are printable. C0 is escaped in any JSON.
struct Printable;

impl Formatter for Printable {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|character| !nex_text::is_printable(character)) {
            let (before, behind) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut characters = behind.chars();
            for unit in characters.next().into_iter().flat_map(units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// A character as JSON escapes it, in UTF-16.
fn units(character: char) -> impl Iterator<Item = u16> {
    let mut units = [0; 2];
    let length = character.encode_utf16(&mut units).len();
    units.into_iter().take(length)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_string_is_printable_and_the_same_when_it_is_read() {
        let text = "\0\x1b\x7f\u{9b}31m\u{ad}\u{61c}\u{200b}\u{202e}\u{2028}\u{2066}\u{feff}\u{e0041}\u{10ffff}\"\\\r\n \u{e9}\u{6587}";
        let map = BTreeMap::from([(text, vec![text, ""])]);
        let json = line(&map).unwrap_or_else(|error| panic!("{error}"));
        let (json, end) = json.split_at(json.len() - 1);
        assert!(end == "\n" && json.chars().all(nex_text::is_printable), "{json}");
        assert!(
            json.contains(r"\u009b31m\u00ad\u061c\u200b\u202e\u2028\u2066\ufeff\udb40\udc41\udbff\udfff"),
            "{json}"
        );
        assert!(json.contains("\u{e9}\u{6587}"), "{json}");
        let back: BTreeMap<String, Vec<String>> = serde_json::from_str(json).unwrap_or_default();
        assert_eq!(back, BTreeMap::from([(text.to_owned(), vec![text.to_owned(), String::new()])]));
    }
}
