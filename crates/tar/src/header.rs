//! One header record: 512 bytes of fixed fields, in which three formats differ behind the first 257.
//!
//! Fields are read as Go's `archive/tar` reads them, so that one archive means one thing to everybody.

use std::borrow::Cow;

use crate::error::Error;
use crate::record::{
    CHECKSUM, DEVICE_MAJOR, DEVICE_MINOR, GID, GNU_IS_EXTENDED, GNU_REAL_SIZE, GNU_REGIONS, LINK_NAME, MAGIC,
    MAGIC_AND_VERSION, MODE, MTIME, NAME, PREFIX, Record, SIZE, TYPE, UID, sum,
};

/// The magic of POSIX.
const USTAR: &[u8; 6] = b"ustar\0";

/// That of GNU tar, with its version.
const GNU: &[u8; 8] = b"ustar  \0";

/// The end of a header by Schilling's star, which uses the last bytes of POSIX's prefix for times.
const STAR_TRAILER: &[u8] = b"tar\0";
const STAR_PREFIX: usize = 131;

/// A header whose checksum is right.
pub struct RawHeader<'a>(&'a Record);

/// Which fields a header has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Those of Unix version 7 alone.
    V7,
    /// POSIX.1-1988 and later.
    Ustar,
    /// POSIX as star writes it.
    Star,
    /// GNU tar's own.
    Gnu,
}

impl<'a> RawHeader<'a> {
    /// Checks that a record is a header.
    ///
    /// # Errors
    /// When its checksum is wrong.
    pub fn new(record: &'a Record) -> Result<Self, Error> {
        let field = &record[CHECKSUM];
        let promised = octal(field).ok_or_else(|| wrong("checksum", field))?;
        // Some old writers summed up signed bytes.
        let (unsigned, signed) = (sum(record, i64::from), sum(record, |byte| i64::from(byte.cast_signed())));
        if promised == unsigned || promised == signed {
            Ok(Self(record))
        } else {
            Err(Error::Checksum { promised, computed: unsigned })
        }
    }

    /// The type, a byte.
    pub fn kind(&self) -> u8 {
        self.0[TYPE]
    }

    /// POSIX is known by its magic alone: writers have put spaces where the version 00 stands, and nobody minds.
    pub fn format(&self) -> Format {
        if self.0[MAGIC_AND_VERSION] == *GNU {
            Format::Gnu
        } else if self.0[MAGIC] != *USTAR {
            Format::V7
        } else if self.0.ends_with(STAR_TRAILER) {
            Format::Star
        } else {
            Format::Ustar
        }
    }

    /// The name, its first part put in front where the format has one.
    pub fn path(&self) -> Cow<'a, [u8]> {
        let prefix = match self.format() {
            Format::Ustar => text(&self.0[PREFIX]),
            Format::Star => text(&self.0[PREFIX][..STAR_PREFIX]),
            Format::V7 | Format::Gnu => b"",
        };
        let name = text(&self.0[NAME]);
        if prefix.is_empty() { name.into() } else { [prefix, b"/", name].concat().into() }
    }

    pub fn link_target(&self) -> &'a [u8] {
        text(&self.0[LINK_NAME])
    }

    /// Bytes of content that the header promises.
    pub fn size(&self) -> Result<u64, Error> {
        u64::try_from(number("size", &self.0[SIZE])?).map_err(|_| Error::Size)
    }

    pub fn mode(&self) -> Result<u16, Error> {
        Ok((number("mode", overflown(&self.0[MODE]))? & 0o7777) as u16)
    }

    pub fn uid(&self) -> Result<i64, Error> {
        number("uid", overflown(&self.0[UID]))
    }

    pub fn gid(&self) -> Result<i64, Error> {
        number("gid", overflown(&self.0[GID]))
    }

    /// Seconds since 1970.
    pub fn mtime(&self) -> Result<i64, Error> {
        number("mtime", overflown(&self.0[MTIME]))
    }

    /// The major and minor number of a device.
    pub fn device(&self) -> Result<(u32, u32), Error> {
        if self.format() == Format::V7 {
            return Ok((0, 0));
        }
        let part = |name, field| u32::try_from(number(name, field)?).map_err(|_| wrong(name, field));
        Ok((part("devmajor", &self.0[DEVICE_MAJOR])?, part("devminor", &self.0[DEVICE_MINOR])?))
    }

    /// Old GNU's first regions of a sparse file, each with the fields of its offset and its length.
    pub fn gnu_regions(&self) -> &'a [u8] {
        &self.0[GNU_REGIONS]
    }

    /// Whether records with more of them follow.
    pub fn gnu_is_extended(&self) -> bool {
        self.0[GNU_IS_EXTENDED] != 0
    }

    /// The field with the length of a sparse file of old GNU.
    pub fn gnu_real_size(&self) -> &'a [u8] {
        &self.0[GNU_REAL_SIZE]
    }
}

/// A number in a field: octal digits, or, where the first bit is set, a big-endian number in two's complement (base 256).
///
/// # Errors
/// When it is neither, or does not fit.
pub fn number(name: &'static str, field: &[u8]) -> Result<i64, Error> {
    let is_binary = field.first().is_some_and(|first| first & 0x80 != 0);
    let value = if is_binary { base_256(field) } else { octal(field) };
    value.ok_or_else(|| wrong(name, field))
}

/// The field without one NUL in front, which AIX and other old writers put there. So GNU tar and Go read it, where bsdtar sees 0:
/// a size with it is refused, as content would be headers for some.
fn overflown(field: &[u8]) -> &[u8] {
    field.strip_prefix(b"\0").unwrap_or(field)
}

fn base_256(field: &[u8]) -> Option<i64> {
    let (&first, rest) = field.split_first()?;
    // The first bit marks the form, the next one is the sign.
    let start = i64::from((first << 1).cast_signed() >> 1);
    rest.iter().try_fold(start, |value, &byte| value.checked_mul(256)?.checked_add(i64::from(byte)))
}

/// Digits with spaces around them, up to a NUL; nothing is 0. Digits behind a NUL are a number for Go, but for GNU tar and
/// others they are not there, so that one and the same content would be headers for some.
fn octal(field: &[u8]) -> Option<i64> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let digits = text(field);
    let start = digits.iter().position(|&byte| byte != b' ').unwrap_or(digits.len());
    let end = digits.iter().rposition(|&byte| byte != b' ').map_or(start, |last| last + 1);
    let digits = &digits[start..end];
    if digits.is_empty() && !field.iter().all(is_padding) {
        return None;
    }
    digits.iter().try_fold(0i64, |value, &digit| {
        let digit = matches!(digit, b'0'..=b'7').then(|| i64::from(digit - b'0'))?;
        value.checked_mul(8)?.checked_add(digit)
    })
}

/// What stands in front of the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn wrong(field: &'static str, value: &[u8]) -> Error {
    Error::Field { field, value: nex_text::short_name(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RECORD;

    #[test]
    fn numbers_are_octal_or_binary() {
        let cases: [(&[u8], i64); 10] = [
            (b"0000644\0", 0o644),
            (b" 644 \0\0\0", 0o644),
            (b"  17\0x", 0o17),
            (b"\0\0 \0", 0),
            (b"        ", 0),
            (b"", 0),
            (b"\x80\0\0\0\xff\xff\xff\xff", 0xffff_ffff),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", -2),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", i64::MAX),
            (b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", i64::MIN),
        ];
        for (field, value) in cases {
            assert_eq!(number("size", field).unwrap(), value, "{}", field.escape_ascii());
        }
        let not: [&[u8]; 7] = [
            b"+644",
            b"8",
            b"6 4",
            b"\0\x0017\0",
            b" \0 17",
            b"\x80\0\0\0\x80\0\0\0\0\0\0\0",
            b"\x80\x01\0\0\0\0\0\0\0\0\0\0",
        ];
        for field in not {
            assert!(number("size", field).is_err(), "{}", field.escape_ascii());
        }
    }

    #[test]
    fn sums_of_signed_bytes_are_right_too() {
        let mut block = [0; RECORD];
        block[..3].copy_from_slice("ä/".as_bytes());
        for sum in ["001200\0 ", "000000\0 "] {
            block[148..156].copy_from_slice(sum.as_bytes());
            assert!(RawHeader::new(&block).is_err());
        }
        // Two bytes above 127, a slash and eight spaces.
        let unsigned: i64 = 0xc3 + 0xa4 + 0x2f + 8 * 0x20;
        for sum in [unsigned, unsigned - 2 * 256] {
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            assert!(RawHeader::new(&block).is_ok(), "{sum}");
        }
    }
}
