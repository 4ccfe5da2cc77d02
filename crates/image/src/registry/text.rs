//! Text that a server wrote, made fit for a message on a terminal.

/// Most characters of a server's text that a message repeats.
const SHOWN: usize = 200;

/// Escapes control characters and cuts the text to a bounded length.
///
/// A registry is not trusted to write to the user's terminal: escape sequences could hide or forge lines.
pub(super) fn shown(text: &str) -> String {
    let text = text.trim();
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == SHOWN {
            out.push('…');
            break;
        }
        if is_harmless(character) {
            out.push(character);
        } else {
            out.extend(character.escape_default());
        }
    }
    out
}

/// False for control characters and for those that turn the direction of the text or take no room.
fn is_harmless(character: char) -> bool {
    let reorders_or_hides = matches!(character,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !character.is_control() && !reorders_or_hides
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\r\nc\u{202e}d"), r"a\u{1b}[2Jb\r\nc\u{202e}d");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shown(&"x".repeat(5000)).chars().count(), super::SHOWN + 1);
    }
}
