//! What stands around a kernel's message where its console went through somebody else's log.

/// The message of a line that `dmesg -T` or a system's log has dated: `[Mon Jan  5 10:20:30 2026] text`,
/// `Jan 05 10:20:30 host kernel: text`.
pub fn dated(text: &str) -> Option<&str> {
    /// More than a date, a host's name and `kernel:` ever have.
    const LONGEST_DATE: usize = 128;
    if let Some((date, message)) = text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        return (date.len() < LONGEST_DATE && has_clock(date)).then_some(message);
    }
    let (date, message) = text.split_once(" kernel: ")?;
    (date.len() < LONGEST_DATE && has_clock(date)).then_some(message)
}

/// Whether a word of the text begins or ends with `10:20:30`.
fn has_clock(text: &str) -> bool {
    const FORM: &[u8] = b"00:00:00";
    text.as_bytes().windows(FORM.len()).any(|clock| {
        clock.iter().zip(FORM).all(|(byte, form)| if *form == b':' { byte == form } else { byte.is_ascii_digit() })
    })
}

/// A message as it was before a log in `key="value"` pairs took it in: what stood before it ends with `="`, the message
/// with the next quote that has no backslash, and quotes in it have one.
pub fn unquoted(before: &str, message: &str) -> Option<String> {
    if !before.ends_with("=\"") {
        return None;
    }
    let mut text = String::with_capacity(message.len());
    let mut letters = message.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('n' | 'r') | None => break,
                Some('t') => text.push(' '),
                Some(other) => text.push(other),
            },
            letter => text.push(letter),
        }
    }
    Some(text)
}

/// What a kernel gave up for, in the line with which it ends the trace of it.
pub fn end_of_panic(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("---[ end ")?;
    inside.starts_with("Kernel panic").then(|| inside.trim_end_matches("]---").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_taken_away() {
        for line in [
            "[Mon Jan  5 10:20:30 2026] VFS: x",
            "Jan 05 10:20:30 guest kernel: VFS: x",
            "2026-01-05T10:20:30.123456+00:00 guest kernel: VFS: x",
        ] {
            assert_eq!(dated(line), Some("VFS: x"), "{line}");
        }
        for line in ["[  OK  ] Started x", "Loading kernel: x", "[10:20] x", "Jan 05 10:20:30 guest init: x"] {
            assert_eq!(dated(line), None, "{line}");
        }
    }

    #[test]
    fn quotes_are_taken_away() {
        assert_eq!(unquoted("level=info msg=\"", "a \\\"b\\\" c\\n\" pid=1").as_deref(), Some("a \"b\" c"));
        assert_eq!(unquoted("console=\"", "a\"").as_deref(), Some("a"));
        assert_eq!(unquoted("console=\"", "cut \\").as_deref(), Some("cut "));
        assert_eq!(unquoted("login: ", "a \"b\""), None);
    }

    #[test]
    fn a_panic_is_known_by_its_last_line() {
        assert_eq!(
            end_of_panic("---[ end Kernel panic - not syncing: x (1,2) ]---"),
            Some("Kernel panic - not syncing: x (1,2)")
        );
        assert_eq!(end_of_panic("---[ end Kernel panic - not syncing: x"), Some("Kernel panic - not syncing: x"));
        assert_eq!(end_of_panic("---[ end trace 0123 ]---"), None);
    }
}
