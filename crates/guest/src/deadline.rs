//! Until when somebody waits.

use std::time::{Duration, Instant};

/// As long as anybody waits: no clock counts for ever.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// So long after a moment; `None` and what is longer than a century is a century.
pub fn deadline(start: Instant, time: impl Into<Option<Duration>>) -> Instant {
    let time = time.into().unwrap_or(FOR_EVER).min(FOR_EVER);
    start.checked_add(time).unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_too_long() {
        let start = Instant::now();
        assert_eq!(deadline(start, Duration::from_secs(3)) - start, Duration::from_secs(3));
        for time in [Some(Duration::MAX), Some(Duration::from_secs(i64::MAX as u64)), None] {
            assert_eq!(deadline(start, time) - start, FOR_EVER);
        }
    }
}
