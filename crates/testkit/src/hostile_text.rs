//! Texts that somebody writes into an image, an answer or a console to make a terminal lie, and what a terminal may see of
//! them.

use std::process::Output;

use crate::{Failure, Result};

/// What no line may begin with: a message that nobody of ours has written.
const FORGED: &str = "error: forged";

/// The longest line of a message, in bytes, with all that stands in it (docs/security.md, "What a terminal shows").
const LINE: usize = 4096;

/// Texts in UTF-8 without NUL, with what each tries.
pub fn texts() -> Vec<(&'static str, String)> {
    let text = |what, text: &str| (what, text.to_owned());
    vec![
        text("clear the screen", "a\x1b[2J\x1b[Hb"),
        text("a link (OSC 8)", "a\x1b]8;;http://evil.example\x1b\\b\x1b]8;;\x1b\\"),
        text("the clipboard (OSC 52)", "a\x1b]52;c;cm0gLXJmIH4=\x07b"),
        text("the title, and ask for it", "a\x1b]0;title\x07\x1b[21tb"),
        text("ask where the cursor is", "a\x1b[6nb"),
        text("C1 as UTF-8", "a\u{9b}31mb\u{90}c\u{9d}0;title\u{9c}"),
        text("write over the line", "a\rerror: forged\x08\x08\x7f"),
        text("a line of its own", "a\nerror: forged\n"),
        text("a further line", "a\n  error: forged\n  b"),
        text("other ends of lines", "a\u{85}error: forged\u{2028}error: forged\u{2029}\x0b\x0c"),
        text("turn the direction", "a\u{202e}gpj.exe\u{202c}\u{2066}b\u{2069}\u{61c}\u{200e}\u{200f}"),
        text("hide", "a\u{200b}b\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}\u{180e}\u{3164}c"),
        text("tags and selectors", "a\u{e0001}\u{e0041}\u{e007f}\u{e0100}b"),
        text("nobody's and private characters", "a\u{e000}\u{10ffff}\u{fdd0}b"),
        ("without end", format!("a/{}/b", "\u{1b}x".repeat(30_000))),
    ]
}

/// The same as bytes, and some that are no UTF-8.
pub fn bytes() -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<_> = texts().into_iter().map(|(what, text)| (what, text.into_bytes())).collect();
    all.push(("C1 as bytes", b"a\x9b31mb\x9d0;title\x9c".to_vec()));
    all.push(("no UTF-8", b"a\xff\xfe\xed\xa0\x80\xf4\x90\x80\x80\xc3".to_vec()));
    all
}

/// The same as JSON has them in a string, and halves of characters, which JSON can name and UTF-8 cannot.
pub fn json_strings() -> Vec<(&'static str, String)> {
    let mut all: Vec<_> =
        texts().into_iter().map(|(what, text)| (what, serde_json::Value::from(text).to_string())).collect();
    all.push(("half a character", r#""a\ud800b""#.to_owned()));
    all.push(("halves in the wrong order", r#""a\udc00\ud800b""#.to_owned()));
    all
}

/// Says what a terminal must not see of a program's output. Lines of JSON may be long.
///
/// # Errors
/// When there is such a thing.
pub fn is_harmless(output: &Output) -> Result<()> {
    [("standard output", &output.stdout), ("standard error", &output.stderr)].into_iter().try_for_each(
        |(name, bytes)| {
            check(bytes).map_err(|fault| Failure::new(format!("{name}: {fault}: {:?}", String::from_utf8_lossy(bytes))))
        },
    )
}

/// The same for what it wrote to one place.
///
/// # Errors
/// When there is such a thing.
pub fn check(bytes: &[u8]) -> std::result::Result<(), String> {
    let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
    for line in text.split('\n') {
        if line.trim_start().starts_with(FORGED) {
            return Err("a forged line".into());
        }
        if line.len() > LINE && !line.starts_with('{') {
            return Err(format!("a line of {} bytes", line.len()));
        }
        if let Some(character) = line.chars().find(|character| is_harmful(*character)) {
            return Err(format!("U+{:04X}", u32::from(character)));
        }
    }
    Ok(())
}

/// By Unicode 16's lists of general categories and properties, of which these are the parts that terminals know.
fn is_harmful(character: char) -> bool {
    matches!(u32::from(character),
        // Cc but the tabulator.
        0..=8 | 0xa..=0x1f | 0x7f..=0x9f
        // Cf.
        | 0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f
        | 0xfeff | 0xfff9..=0xfffb | 0x110bd | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff
        // Zl and Zp.
        | 0x2028 | 0x2029
        // Fillers that are letters by their category.
        | 0x115f | 0x1160 | 0x3164 | 0xffa0
        // Co, and no characters.
        | 0xe000..=0xf8ff | 0xf0000..=0x10_ffff | 0xfdd0..=0xfdef)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_judge_objects_to_each_text_as_it_is() {
        for (what, text) in bytes() {
            assert!(check(&text).is_err(), "{what}");
            assert!(check(text.escape_ascii().to_string().as_bytes()).is_ok() || text.len() > LINE, "{what}");
        }
        let good =
            "layers      sha256:0123  1.0 MiB\n\terror: caf\u{e9} \u{6587} \u{1f980} \u{fffd} \\u{1b} \u{2026}\n";
        assert_eq!(check(good.as_bytes()), Ok(()));
        assert!(check(&[b'a'; LINE + 1]).is_err() && check(&[b'a'; LINE]).is_ok());
        assert!(check(&[b"{", [b'a'; 5000].as_slice()].concat()).is_ok());
    }
}
