//! Which characters a terminal may see.

/// Whether a character shows itself, and does nothing else.
///
/// It does not when it is a control character, of C0 or C1 (Cc); a format character (Cf), which turns the direction of the
/// text around, takes no room, or tags; the end of a line or paragraph (Zl, Zp); for private use (Co); or nothing at all (Cn).
/// The standard library's table for `escape_debug` knows these; its version of Unicode is the compiler's.
pub fn is_printable(character: char) -> bool {
    match character {
        ' '..='~' => true,
        // Spaces that texts in French, Chinese or Japanese have. Those of other widths pass for none, or for an end.
        '\u{a0}' | '\u{202f}' | '\u{3000}' => true,
        // Letters and marks by their category, and nothing to be seen: joiners, fillers, blanks, and selectors of variants
        // but those two that choose between an emoji and a letter.
        '\u{34f}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0d}'
        | '\u{ffa0}'
        | '\u{e0100}'..='\u{e01ef}' => false,
        _ => is_left_alone(character),
    }
}

/// Whether `escape_debug` leaves a character alone that stands behind another one: it escapes marks at the start of a text.
fn is_left_alone(character: char) -> bool {
    let mut pair = [b'a'; 5];
    let length = character.encode_utf8(&mut pair[1..]).len();
    str::from_utf8(&pair[..=length]).is_ok_and(|pair| pair.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::is_printable;

    #[test]
    fn what_steers_or_hides_is_not_printable() {
        let ranges = [
            '\0'..='\x1f',
            '\x7f'..='\u{9f}',
            '\u{ad}'..='\u{ad}',
            '\u{61c}'..='\u{61c}',
            '\u{2000}'..='\u{200f}',
            '\u{2028}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{fe00}'..='\u{fe0d}',
            '\u{feff}'..='\u{feff}',
            '\u{fff9}'..='\u{fffb}',
            '\u{e000}'..='\u{e001}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0000}'..='\u{e01ef}',
            '\u{10ffff}'..='\u{10ffff}',
        ];
        for character in ranges.into_iter().flatten() {
            assert!(!is_printable(character), "{character:?}");
        }
    }

    #[test]
    fn what_people_write_is_printable() {
        let texts =
            ["caf\u{e9} cafe\u{301}", "\u{6839}\u{6587}\u{4ef6}\u{3000}\u{ff01}", "\u{5e9}\u{5dc}", "\u{645}\u{631}"];
        let more = [
            "\u{939}\u{93f}\u{928}\u{94d}",
            "\u{1f980}\u{2764}\u{fe0f}\u{1f44d}\u{1f3fd}",
            "\u{fffd} \u{2026} \u{20ac}",
        ];
        for character in texts.iter().chain(&more).flat_map(|text| text.chars()) {
            assert!(is_printable(character), "{character:?}");
        }
    }
}
