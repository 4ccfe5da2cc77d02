//! The release in a kernel's banner (`linux_banner`).

use memchr::memmem;

use crate::window::Window;

/// What stands before the release in every kernel.
const BANNER: &[u8] = b"Linux version ";
/// A release is shorter (`__NEW_UTS_LEN`).
const LONGEST: usize = 65;

/// The release in one window. The words are also the start of messages, but there no number follows.
pub fn find(window: &Window<'_>) -> Option<String> {
    let places = memmem::find_iter(window.bytes, BANNER).take_while(|place| *place < window.fresh);
    let mut texts = places.filter_map(|place| window.bytes.get(place + BANNER.len()..));
    texts.find_map(|text| first_word(text).filter(|word| word.starts_with(|first: char| first.is_ascii_digit())))
}

/// A text's first word, up to a blank or to the NUL that ends it.
pub fn first_word(text: &[u8]) -> Option<String> {
    let end = text.iter().take(LONGEST).position(|byte| *byte == 0 || byte.is_ascii_whitespace())?;
    String::from_utf8(text[..end].to_vec()).ok().filter(|word| !word.is_empty())
}
