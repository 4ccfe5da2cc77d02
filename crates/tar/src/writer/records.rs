//! PAX records: `LENGTH KEY=VALUE` and a newline, where the length counts its own digits.

use super::error::WriteError;
use crate::entry::{Time, Xattr};
use crate::pax::{SPARSE, XATTR};

const NANOSECONDS: u32 = 1_000_000_000;

/// Records, in the order in which they were added.
#[derive(Default)]
pub(super) struct Records(Vec<u8>);

impl Records {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn add(&mut self, key: &str, value: &[u8]) {
        // A space, the sign and the newline.
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        self.0.extend_from_slice(format!("{length} {key}=").as_bytes());
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }

    pub(super) fn number(&mut self, key: &str, value: u64) {
        self.add(key, value.to_string().as_bytes());
    }

    pub(super) fn time(&mut self, key: &str, time: Time) {
        self.add(key, decimal(time).as_bytes());
    }

    /// The records of GNU tar's sparse files of version 1.0, whose map stands in front of the content.
    pub(super) fn sparse(&mut self, path: &[u8], length: u64) {
        self.add(&format!("{SPARSE}major"), b"1");
        self.add(&format!("{SPARSE}minor"), b"0");
        self.add(&format!("{SPARSE}name"), path);
        self.number(&format!("{SPARSE}realsize"), length);
    }

    pub(super) fn xattr(&mut self, xattr: &Xattr) -> Result<(), WriteError> {
        let name = str::from_utf8(&xattr.name).ok().filter(|name| !name.contains('='));
        let name = name.ok_or_else(|| WriteError::XattrName(nex_text::short_name(&xattr.name)))?;
        self.add(&format!("{XATTR}{name}"), &xattr.value);
        Ok(())
    }
}

/// A decimal number of seconds. The kernel counts nanoseconds upwards from a floor; a decimal counts away from zero.
fn decimal(Time { seconds, nanoseconds }: Time) -> String {
    match (seconds, nanoseconds) {
        (seconds, 0) => seconds.to_string(),
        (..0, nanoseconds) => {
            format!("-{}.{:09}", seconds.unsigned_abs() - 1, NANOSECONDS.saturating_sub(nanoseconds))
        }
        _ => format!("{seconds}.{nanoseconds:09}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_are_decimals_too() {
        let decimal = |seconds, nanoseconds| decimal(Time { seconds, nanoseconds });
        assert_eq!(decimal(5, 0), "5");
        assert_eq!(decimal(5, 1), "5.000000001");
        assert_eq!(decimal(-2, 500_000_000), "-1.500000000");
        assert_eq!(decimal(-1, 999_999_999), "-0.000000001");
    }

    #[test]
    fn a_length_counts_its_own_digits() {
        for (value, start) in
            [(0, "5 k=\n"), (4, "9 k="), (5, "11 k="), (93, "99 k="), (94, "101 k="), (993, "1001 k=")]
        {
            let mut records = Records::default();
            records.add("k", &vec![b'v'; value]);
            let bytes = records.into_bytes();
            assert!(bytes.starts_with(start.as_bytes()), "{value}: {}", bytes.escape_ascii());
            let said = start.split(' ').next().unwrap().parse();
            assert_eq!(Ok(bytes.len()), said, "{value}");
        }
    }
}
