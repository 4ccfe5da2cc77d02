//! Sizes as people write them: `157286400`, `150MiB`, `1G`.

use nex_text::short_name;

/// Reads a size in bytes. Units count in steps of 1,024, with or without `iB` or `B` behind their letter.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| expected(text))?;
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(expected(text)),
    };
    number.checked_mul(1 << shift).ok_or_else(|| format!("'{}' does not fit in 64 bits", short_name(text)))
}

/// What a virtual disk counts in; it would not show what is left over.
const SECTOR: u64 = 512;

/// Takes a size that a disk can have.
///
/// # Errors
/// What is wrong, in words.
pub fn whole_sectors(bytes: u64) -> Result<u64, String> {
    if bytes.is_multiple_of(SECTOR) {
        return Ok(bytes);
    }
    let next = bytes.checked_next_multiple_of(SECTOR).unwrap_or(bytes - bytes % SECTOR);
    Err(format!("a disk has whole sectors of {SECTOR} bytes, and {bytes} is not a multiple; take {next}"))
}

fn expected(text: &str) -> String {
    format!("'{}' is not a size; write bytes (157286400) or a unit of 1,024 (150MiB, 1G)", short_name(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let cases = [
            ("157286400", 157_286_400),
            ("150MiB", 150 << 20),
            ("150M", 150 << 20),
            ("150mb", 150 << 20),
            ("1G", 1 << 30),
            ("2 TiB", 2 << 40),
            ("512K", 512 << 10),
            ("0", 0),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "1.5G", "-1", "1X", "99999999999T", "0x10"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
