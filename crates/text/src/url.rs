//! URLs in messages: without what identifies their user.

use crate::short_name;
use crate::user_info::hide;

/// One URL for a message, as [`short_name`] has names: without user information, query and fragment, which may hold secrets.
///
/// `https://user:password@host/path?token=1` is `https://***@host/path`.
pub fn url(text: impl AsRef<[u8]>) -> String {
    let text = String::from_utf8_lossy(text.as_ref());
    let shown = hide(&text, |_| false);
    short_name(shown.split(['?', '#']).next().unwrap_or_default())
}
