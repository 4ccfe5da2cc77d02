//! PAX extended header records, read strictly (POSIX.1-2001, `pax`, "pax Extended Header").
//!
//! Readers that disagree about one archive are how content gets past a check, so here every byte has to belong to a record,
//! and every number has to be one.

use std::collections::BTreeMap;

use nex_fault::{Code, Fault};
use thiserror::Error;

use crate::codes;
use crate::entry::Time;

/// What stands in front of the name of an extended attribute, in all tars since Schilling's.
pub const XATTR: &str = "SCHILY.xattr.";

/// What stands in front of GNU tar's records of sparse files.
pub const SPARSE: &str = "GNU.sparse.";

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
    /// Offsets and lengths of a sparse file that do not take turns.
    #[error("the PAX records of a sparse file are not in pairs of an offset and a length")]
    SparsePairs,
    /// An access list that is none.
    #[error("the PAX record '{key}' has the value '{value}', which is no access list")]
    AccessList {
        /// The record's key.
        key: &'static str,
        /// Its value, escaped.
        value: String,
    },
    /// A sparse file in a form that is not known.
    #[error("is a sparse file of the version {0}; known are 0.0, 0.1 and 1.0")]
    SparseVersion(String),
}

impl Fault for PaxError {
    fn code(&self) -> Code {
        match self {
            Self::SparseVersion(_) => codes::UNSUPPORTED,
            _ => codes::INVALID,
        }
    }
}

/// What the records of an entry say about it. A record with an empty value takes back an earlier one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pax {
    /// `path`: the name.
    pub path: Option<Vec<u8>>,
    /// `linkpath`: the target of a link.
    pub link_target: Option<Vec<u8>>,
    /// `mtime`, before 1970 and with nanoseconds too.
    pub time: Option<Time>,
    /// `size`: the length of the stored content.
    pub size: Option<u64>,
    /// `uid`.
    pub uid: Option<u64>,
    /// `gid`.
    pub gid: Option<u64>,
    /// `SCHILY.xattr.*`: extended attributes, by name. An empty value is a value here.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// `SCHILY.acl.access`: an access list as text.
    pub access_list: Option<Vec<u8>>,
    /// `SCHILY.acl.default`: the list of what is made in a directory.
    pub default_list: Option<Vec<u8>>,
    /// `GNU.sparse.*`.
    pub sparse: SparseRecords,
}

/// What GNU tar's records say about a sparse file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SparseRecords {
    major: Option<u64>,
    minor: Option<u64>,
    /// `size` or `realsize`: the length of the file, holes included.
    pub size: Option<u64>,
    /// `name`: the file's, where the header has another one.
    pub name: Option<Vec<u8>>,
    /// `numblocks`: how many regions the map has.
    pub count: Option<u64>,
    /// Offset and length of each region, in turns.
    pub map: Vec<u64>,
}

/// Where the map of a sparse file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SparseVersion {
    /// In the records: 0.0 and 0.1.
    Records,
    /// In front of the content: 1.0.
    Content,
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
                b"path" => pax.path = bytes(value),
                b"linkpath" => pax.link_target = bytes(value),
                b"mtime" => pax.time = optional("mtime", value, time)?,
                b"size" => pax.size = optional("size", value, unsigned)?,
                b"uid" => pax.uid = optional("uid", value, unsigned)?,
                b"SCHILY.acl.access" => pax.access_list = bytes(value),
                b"SCHILY.acl.default" => pax.default_list = bytes(value),
                b"gid" => pax.gid = optional("gid", value, unsigned)?,
                _ => {
                    if let Some(name) = key.strip_prefix(XATTR.as_bytes()) {
                        pax.xattrs.insert(name.to_vec(), value.to_vec());
                    } else if let Some(key) = key.strip_prefix(SPARSE.as_bytes()) {
                        pax.sparse.take(key, value)?;
                    }
                }
            }
        }
        Ok(pax)
    }
}

impl SparseRecords {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), PaxError> {
        match key {
            b"major" => self.major = optional("GNU.sparse.major", value, unsigned)?,
            b"minor" => self.minor = optional("GNU.sparse.minor", value, unsigned)?,
            b"size" => self.size = optional("GNU.sparse.size", value, unsigned)?,
            b"realsize" => self.size = optional("GNU.sparse.realsize", value, unsigned)?,
            b"name" => self.name = bytes(value),
            b"numblocks" => self.count = optional("GNU.sparse.numblocks", value, unsigned)?,
            b"map" => {
                let numbers = value.split(|&byte| byte == b',').filter(|_| !value.is_empty());
                self.map = numbers.map(|text| number("GNU.sparse.map", text, unsigned)).collect::<Result<_, _>>()?;
            }
            b"offset" if self.map.len().is_multiple_of(2) => {
                self.map.push(number("GNU.sparse.offset", value, unsigned)?);
            }
            b"numbytes" if !self.map.len().is_multiple_of(2) => {
                self.map.push(number("GNU.sparse.numbytes", value, unsigned)?);
            }
            b"offset" | b"numbytes" => return Err(PaxError::SparsePairs),
            _ => {}
        }
        Ok(())
    }

    /// The form of the map; `None` for a file that is not sparse.
    ///
    /// # Errors
    /// When the form is not known.
    pub fn version(&self) -> Result<Option<SparseVersion>, PaxError> {
        match (self.major, self.minor) {
            (None, None) if self.map.is_empty() => Ok(None),
            // The first tars of these forms did not say so.
            (None, None) | (Some(0), Some(0 | 1)) => Ok(Some(SparseVersion::Records)),
            (Some(1), Some(0)) => Ok(Some(SparseVersion::Content)),
            (major, minor) => {
                let part = |number: Option<u64>| number.map_or("?".to_owned(), |number| number.to_string());
                Err(PaxError::SparseVersion(format!("{}.{}", part(major), part(minor))))
            }
        }
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

fn bytes(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty()).then(|| value.to_vec())
}

fn optional<T>(key: &'static str, value: &[u8], parse: fn(&[u8]) -> Option<T>) -> Result<Option<T>, PaxError> {
    if value.is_empty() { Ok(None) } else { number(key, value, parse).map(Some) }
}

fn number<T>(key: &'static str, value: &[u8], parse: fn(&[u8]) -> Option<T>) -> Result<T, PaxError> {
    parse(value).ok_or_else(|| PaxError::Number { key, value: nex_text::short_name(value) })
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
fn time(text: &[u8]) -> Option<Time> {
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
        (false, _) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds: 0 },
        (true, _) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
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

    fn mtime(value: &str) -> Result<Option<Time>, PaxError> {
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
            assert_eq!(mtime(text).unwrap(), Some(Time { seconds, nanoseconds }), "{text}");
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
