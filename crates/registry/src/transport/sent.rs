//! What was sent that nobody else may read, to be cut from what servers say: one that repeats a request would put it into a message,
//! and so into a log.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use ureq::http::{HeaderValue, Uri};

use super::percent::encoded;

/// What stands in the place of a secret, as in the addresses of messages.
const HIDDEN: &str = "***";

/// As many secrets as are remembered: the last ones. Each download may have an address of its own.
const MOST: usize = 1024;

/// Shorter ones stand in any text by chance.
const SHORTEST: usize = 4;

/// Parameters of the protocols of registries and tokens. Their values are names, and messages are about them.
const NAMES: [&str; 12] = [
    "account",
    "client_id",
    "digest",
    "from",
    "grant_type",
    "last",
    "mount",
    "n",
    "ns",
    "offline_token",
    "scope",
    "service",
];

/// The secrets of all requests so far. May be used by several threads.
#[derive(Default)]
pub(crate) struct Sent(Mutex<VecDeque<String>>);

impl Sent {
    /// Remembers a secret, as it is and as addresses and forms have it.
    pub(crate) fn keep(&self, secret: &str) {
        self.add(secret);
        self.add(&encoded(secret));
    }

    /// Remembers what an `Authorization` header holds: the token, or the user with the password, and the password alone.
    pub(crate) fn keep_authorization(&self, value: &HeaderValue) {
        let Some((scheme, secret)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else { return };
        // Whoever repeats it may leave out what fills it up.
        self.keep(secret.trim_end_matches('='));
        let pair =
            BASE64.decode(secret).ok().filter(|_| scheme == "Basic").and_then(|pair| String::from_utf8(pair).ok());
        if let Some(pair) = pair {
            self.keep(&pair);
            self.keep(pair.split_once(':').map_or("", |(_, password)| password));
        }
    }

    /// Remembers the query of an address, and what may be secret in it.
    pub(crate) fn keep_query(&self, uri: &Uri) {
        let Some(query) = uri.query() else { return };
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or(("", parameter));
            if !NAMES.contains(&name) {
                self.add(value);
                self.add(&percent_decode_str(value).decode_utf8_lossy());
            }
        }
        self.add(query);
    }

    fn add(&self, secret: &str) {
        if secret.len() < SHORTEST {
            return;
        }
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.retain(|known| known != secret);
        if secrets.len() >= MOST {
            secrets.pop_front();
        }
        secrets.push_back(secret.to_owned());
    }

    /// A text without all of them. It must be whole: half a secret is not found.
    pub(crate) fn hidden_in<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<&String> = secrets.iter().filter(|secret| text.contains(secret.as_str())).collect();
        // One may be a part of another, whose rest would stay.
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.iter().fold(Cow::Borrowed(text), |text, secret| Cow::Owned(text.replace(secret.as_str(), HIDDEN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_hidden_in_all_its_forms_and_nothing_else() {
        let sent = Sent::default();
        sent.keep_authorization(&HeaderValue::from_static("Basic dXNlcjpvcGVuIHNlc2FtZQ=="));
        sent.keep_authorization(&HeaderValue::from_static("Bearer the.token=="));
        sent.keep("re/fresh");
        sent.keep_query(&"https://s.example/b?sig=a%2Fbcd&scope=repository:a/b:pull&n=100&x".parse().unwrap());
        let text = "Basic dXNlcjpvcGVuIHNlc2FtZQ, dXNlcjpvcGVuIHNlc2FtZQ==; user:open sesame; 'open sesame'; open%20sesame; \
                    the.token; re%2Ffresh; re/fresh; a/bcd; a%2Fbcd; repository:a/b:pull; n=100; \
                    /b?sig=a%2Fbcd&scope=repository:a/b:pull&n=100&x";
        let hidden = "Basic ***, ***==; ***; '***'; ***; ***; ***; ***; ***; ***; repository:a/b:pull; n=100; /b?***";
        assert_eq!(sent.hidden_in(text), hidden);
        assert_eq!(Sent::default().hidden_in(text), text);
    }

    #[test]
    fn the_last_ones_are_remembered() {
        let sent = Sent::default();
        for number in 0..MOST {
            sent.keep("password");
            sent.add(&format!("query-{number:05}"));
        }
        assert_eq!(sent.hidden_in("password query-00000 query-01023"), "*** query-00000 ***");
        // What has no length worth speaking of is in any text.
        sent.keep("a");
        assert_eq!(sent.hidden_in("a word"), "a word");
    }
}
