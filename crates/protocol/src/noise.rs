//! The kernel's messages in the middle of other lines.
//!
//! The kernel writes its messages to a serial console past the terminal's buffer, so one may stand anywhere in a line that
//! is just being sent. It brings its own end of line; the rest of the broken line follows it:
//!
//! ```text
//! @nex1 out 812 hel[    1.234567] random: crng init done
//! lo world #7.c0de
//! ```

use crate::MARKER;

/// A line of a console, cut where a message of the kernel's begins in it; `None` for one without such a message.
pub fn split_at_kernel_message(line: &[u8]) -> Option<(&[u8], &[u8])> {
    start(line).map(|place| line.split_at(place))
}

/// Where a message of the kernel's begins, known by its time: `[`, spaces, seconds, a dot, six digits and `]`.
pub fn start(line: &[u8]) -> Option<usize> {
    line.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'[')
        .map(|(place, _)| place)
        .find(|&place| is_time(&line[place..]))
}

fn is_time(text: &[u8]) -> bool {
    /// How many digits of a second the kernel prints.
    const FRACTION: usize = 6;
    /// Longer than any time: no line may cost more than a look at each of its bytes.
    const LONGEST: usize = 32;
    let text = &text[..text.len().min(LONGEST)];
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let Some(end) = text.iter().position(|&byte| byte == b']') else { return false };
    let Some(dot) = text[..end].iter().position(|&byte| byte == b'.') else { return false };
    let (seconds, fraction) = (text[1..dot].trim_ascii_start(), &text[dot + 1..end]);
    is_number(seconds) && is_number(fraction) && fraction.len() == FRACTION
}

/// Whether the bytes before a kernel's message can be the beginning of one of our lines: they hold the marker, or end with a
/// part of it.
pub fn may_go_on(fragment: &[u8]) -> Option<usize> {
    if let Some(place) = last_marker(fragment) {
        return Some(place);
    }
    (1..MARKER.len()).rev().find(|&length| fragment.ends_with(&MARKER[..length])).map(|length| fragment.len() - length)
}

/// Where the last marker of a line stands. What an earlier one began was cut off, since no text holds a marker.
pub fn last_marker(line: &[u8]) -> Option<usize> {
    line.windows(MARKER.len()).rposition(|window| window == MARKER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_kernel_are_known_by_their_time() {
        assert_eq!(start(b"[    1.234567] random: crng init done"), Some(0));
        assert_eq!(start(b"hel[12345.000001] x"), Some(3));
        assert_eq!(start(b"a[1] [2.5] [.123456] [1.1234567] [x.123456]"), None);
        assert_eq!(start(b"[[ 1.234567"), None);
    }

    #[test]
    fn a_part_of_a_marker_may_go_on() {
        assert_eq!(may_go_on(b"abc@ne"), Some(3));
        assert_eq!(may_go_on(b"abc@nex1 out 5 x"), Some(3));
        assert_eq!(may_go_on(b"abc@next"), None);
        assert_eq!(may_go_on(b""), None);
    }
}
