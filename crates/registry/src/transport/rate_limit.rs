//! What a server says about its limits: `Retry-After` (RFC 9110) and the `RateLimit-*` headers.

use std::fmt;
use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;

use super::retry::Retry;
use super::sent::Sent;

/// The limits named in an answer. All fields may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RateLimit {
    /// How long to wait.
    pub retry_after: Option<Duration>,
    /// Requests allowed, as the server writes it (`100;w=21600`: in 21,600 seconds).
    pub limit: Option<String>,
    /// Requests left.
    pub remaining: Option<String>,
    /// When the count starts again, as the server writes it.
    pub reset: Option<String>,
}

impl RateLimit {
    /// Reads the headers. What was sent is not repeated.
    pub(crate) fn of(headers: &HeaderMap, sent: &Sent, now: SystemTime) -> RateLimit {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let named = |name: &str| text(&format!("ratelimit-{name}")).or_else(|| text(&format!("x-ratelimit-{name}")));
        let shown = |value: &str| nex_text::excerpt(&*sent.hidden_in(value));
        RateLimit {
            retry_after: text("retry-after").and_then(|value| delay(value, now)),
            limit: named("limit").map(shown),
            remaining: named("remaining").map(shown),
            reset: named("reset").map(shown),
        }
    }

    /// Whether asking again may help: not when the count is used up and nobody says until when.
    pub(crate) fn retry(&self) -> Retry {
        let used_up = self.remaining.as_deref().is_some_and(|left| left.split(';').next() == Some("0"));
        match self.retry_after {
            Some(delay) => Retry::After(delay),
            None if used_up => Retry::Never,
            None => Retry::Soon,
        }
    }
}

/// `Retry-After`: seconds, or a date.
fn delay(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [("limit", &self.limit), ("remaining", &self.remaining), ("reset", &self.reset)];
        for (name, value) in words {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        match self.retry_after {
            Some(delay) => write!(f, ", asks to wait {} s", delay.as_secs()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use ureq::http::{HeaderMap, HeaderValue};

    use super::{RateLimit, Retry, Sent};

    fn limit(headers: &[(&'static str, &'static str)]) -> RateLimit {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        RateLimit::of(&headers, &Sent::default(), UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(limit(&[("retry-after", "120")]).retry_after, Some(Duration::from_secs(120)));
        let date = limit(&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")]);
        assert_eq!(date.retry_after, Some(Duration::from_secs(60)));
        let past = limit(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]);
        assert_eq!(past.retry_after, Some(Duration::ZERO));
        assert_eq!(limit(&[("retry-after", "soon")]).retry_after, None);
    }

    #[test]
    fn a_used_up_limit_without_an_end_is_not_waited_for() {
        let hub = limit(&[("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "0;w=21600")]);
        assert_eq!(hub.retry(), Retry::Never);
        assert_eq!(hub.to_string(), ", limit 100;w=21600, remaining 0;w=21600");
        assert_eq!(limit(&[("x-ratelimit-remaining", "5")]).retry(), Retry::Soon);
    }
}
