//! Times as people write them: `90`, `30m`, `2h`.

use std::time::Duration;

/// A time that somebody waits for. What is past a century is a slip, and no clock counts to the end of it.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &str) -> Result<Duration, String> {
    const LONGEST: u64 = 100 * 365 * 24 * 3600;
    const UNITS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];
    let unit = UNITS.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, seconds) = unit.unwrap_or((text, 1));
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).filter(|number| *number > 0);
    match number {
        Some(seconds) if seconds <= LONGEST => Ok(Duration::from_secs(seconds)),
        Some(_) => Err("a time has at most 876000h".into()),
        None => Err("a time is a number of seconds, or one with s, m or h".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let seconds = ["90", "90s", "30m", "2h", "876000h"].map(|text| parse(text).unwrap().as_secs());
        assert_eq!(seconds, [90, 90, 1800, 7200, 3_153_600_000]);
        for text in ["", "0", "s", "-1", "1d", "99999999999999999999h", "18446744073709551615h", "3153600001"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
