//! PAX extended header records, read strictly (POSIX.1-2001, `pax`, "pax Extended Header").
//!
//! The tar parser applies the records to the entry; it leaves unread what stands behind a record that it cannot make out,
//! and knows no times before 1970. Readers that disagree about one archive are how content gets past a check, so here
//! every byte has to belong to a record.

use nex_ext4::Timestamp;
use thiserror::Error;

/// Why a PAX header is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PaxError {
    /// The bytes are not `LENGTH KEY=VALUE` and a newline.
    #[error("a PAX record does not have the form 'LENGTH KEY=VALUE'")]
    Malformed,
    /// A number or time that is none.
    #[error("the PAX record '{key}' has the value '{value}', which is not a valid number")]
    Number {
        /// The record's key.
        key: &'static str,
        /// Its value, escaped.
        value: String,
    },
}

/// What the records say that must be read with more care than the parser takes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pax {
    /// `mtime`, before 1970 and with nanoseconds too.
    pub time: Option<Timestamp>,
    /// `size`: the length of the stored content.
    pub size: Option<u64>,
}

impl Pax {
    /// Reads all records of a header.
    ///
    /// # Errors
    /// When any byte is not part of a record, or a number is none.
    pub fn parse(data: &[u8]) -> Result<Self, PaxError> {
        let mut pax = Self::default();
        let mut rest = data;
        while !rest.is_empty() {
            let (key, value, after) = record(rest).ok_or(PaxError::Malformed)?;
            rest = after;
            match key {
                b"mtime" => pax.time = optional("mtime", value, time)?,
                b"size" => pax.size = optional("size", value, unsigned)?,
                b"uid" => drop(optional("uid", value, unsigned)?),
                b"gid" => drop(optional("gid", value, unsigned)?),
                _ => {}
            }
        }
        Ok(pax)
    }
}

/// Takes the first record off `data`: key, value, and what follows.
fn record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let digits = data.iter().position(|&byte| byte == b' ')?;
    let length = usize::try_from(unsigned(&data[..digits])?).ok()?;
    let (record, rest) = data.split_at_checked(length)?;
    let body = record.get(digits + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&byte| byte == b'=')?;
    (equals > 0).then(|| (&body[..equals], &body[equals + 1..], rest))
}

/// A record with an empty value takes back an earlier one.
fn optional<T>(key: &'static str, value: &[u8], parse: fn(&[u8]) -> Option<T>) -> Result<Option<T>, PaxError> {
    if value.is_empty() {
        return Ok(None);
    }
    match parse(value) {
        Some(parsed) => Ok(Some(parsed)),
        None => Err(PaxError::Number { key, value: value.escape_ascii().to_string() }),
    }
}

/// A decimal number, digits only.
fn unsigned(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Seconds since 1970 with a sign and a fraction; digits past the nanosecond are cut off.
fn time(text: &[u8]) -> Option<Timestamp> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (whole, fraction) = match text.iter().position(|&byte| byte == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, b"".as_slice()),
    };
    let seconds = i64::try_from(unsigned(whole)?).ok()?;
    let nanoseconds = nanoseconds(fraction)?;
    Some(match (negative, nanoseconds) {
        (false, _) => Timestamp { seconds, nanoseconds },
        (true, 0) => Timestamp { seconds: -seconds, nanoseconds: 0 },
        (true, _) => Timestamp { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

/// The digits behind the point, as nanoseconds.
fn nanoseconds(fraction: &[u8]) -> Option<u32> {
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    Some(digits.fold(0, |number, &digit| number * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mtime(value: &str) -> Result<Option<Timestamp>, PaxError> {
        let body = format!(" mtime={value}\n");
        let length = (body.len() + 1..).find(|length| length.to_string().len() + body.len() == *length).unwrap();
        Pax::parse(format!("{length}{body}").as_bytes()).map(|pax| pax.time)
    }

    #[test]
    fn times_have_signs_and_fractions() {
        let cases = [
            ("0", (0, 0)),
            ("1.5", (1, 500_000_000)),
            ("-1.25", (-2, 750_000_000)),
            ("-1", (-1, 0)),
            ("-0.000000001", (-1, 999_999_999)),
            ("8589934597", (8_589_934_597, 0)),
            ("1.1234567899", (1, 123_456_789)),
            ("7.", (7, 0)),
        ];
        for (text, (seconds, nanoseconds)) in cases {
            assert_eq!(mtime(text).unwrap(), Some(Timestamp { seconds, nanoseconds }), "{text}");
        }
        assert_eq!(mtime("").unwrap(), None);
        for text in ["x", "1.x", "--1", "+1", ".5", "1e3", "99999999999999999999"] {
            assert!(matches!(mtime(text), Err(PaxError::Number { key: "mtime", .. })), "{text}");
        }
    }

    #[test]
    fn every_byte_must_belong_to_a_record() {
        let cases: [&[u8]; 9] = [
            b"garbage",
            b"10 size=1\nx",
            b"11 size=12\n\0",
            b"99 size=1\n",
            b"10 size=1x",
            b"+10 size=1\n",
            b"9 size=1\n\n",
            b"7 =abc\n",
            b"3 \n",
        ];
        for data in cases {
            assert_eq!(Pax::parse(data), Err(PaxError::Malformed), "{}", data.escape_ascii());
        }
        assert_eq!(Pax::parse(b"10 size=1\n11 size=22\n").unwrap().size, Some(22));
    }
}
