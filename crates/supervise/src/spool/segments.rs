//! The files of a spool, by their names: `output.N`, where N grows by one for each and is never used again.

use std::ffi::OsStr;
use std::io;

use nex_file::directory::Directory;

/// What a segment's name begins with.
const PREFIX: &str = "output.";

/// Whether this is the name of a segment.
pub fn is_segment(name: &OsStr) -> bool {
    number(name).is_some()
}

/// A segment's name.
pub fn name(number: u64) -> String {
    format!("{PREFIX}{number}")
}

/// The number in a segment's name.
fn number(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_prefix(PREFIX)?;
    let number: u64 = digits.parse().ok()?;
    // One name for each number.
    (number.to_string() == digits).then_some(number)
}

/// The lowest number behind this one that a segment has.
pub fn next_after(directory: &Directory, passed: Option<u64>) -> io::Result<Option<u64>> {
    let numbers = directory.names()?.into_iter().filter_map(|name| number(&name));
    Ok(numbers.filter(|number| passed.is_none_or(|passed| *number > passed)).min())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_name() {
        assert_eq!(number(name(u64::MAX).as_ref()), Some(u64::MAX));
        for other in [
            "output",
            "output.",
            "output.01",
            "output.+1",
            "output.-1",
            "output.1x",
            "journal",
            "output.18446744073709551616",
        ] {
            assert!(!is_segment(other.as_ref()), "{other}");
        }
    }
}
