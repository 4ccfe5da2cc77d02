//! Names that there are, in messages about one that is not.

use std::fmt;

use nex_text::short_name;

/// `it has a, b and 3 more`, or another sentence when there is nothing.
pub(crate) struct Listed<'a, T>(pub &'static str, pub &'a [T], pub &'static str);

/// Names in a message. Images can have thousands.
const MAX_LISTED: usize = 20;

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listed(lead, items, nothing) = self;
        if items.is_empty() {
            return f.write_str(nothing);
        }
        let names: Vec<String> = items.iter().take(MAX_LISTED).map(|item| short_name(item.to_string())).collect();
        write!(f, "{lead} {}", names.join(", "))?;
        match items.len().checked_sub(MAX_LISTED) {
            Some(more) if more > 0 => write!(f, " and {more} more"),
            _ => Ok(()),
        }
    }
}
