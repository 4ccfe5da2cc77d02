//! `WWW-Authenticate` challenges (RFC 9110, section 11.6.1): how a registry wants to be asked.

use std::collections::BTreeMap;

use crate::transport::http::HeaderMap;
use crate::transport::http::header::WWW_AUTHENTICATE;

/// One challenge, such as `Bearer realm="https://auth.example/token",service="registry"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// The authentication scheme, in lower case.
    pub(crate) scheme: String,
    /// The parameters, by their names in lower case. A name given twice keeps its first value.
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// Reads all challenges of an answer.
    pub(crate) fn of(headers: &HeaderMap) -> Vec<Challenge> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(Challenge::parse_all).collect()
    }

    /// Reads every challenge of one header's value. What does not follow the grammar ends the reading: the challenges
    /// before it still count.
    pub(crate) fn parse_all(header: &str) -> Vec<Challenge> {
        let mut scanner = Scanner { rest: header };
        let mut challenges: Vec<Challenge> = Vec::new();
        loop {
            scanner.skip_separators();
            let Some(word) = scanner.token() else {
                return challenges;
            };
            match scanner.value() {
                Value::Given(value) => {
                    let Some(challenge) = challenges.last_mut() else {
                        return challenges;
                    };
                    challenge.parameters.entry(word.to_ascii_lowercase()).or_insert(value);
                }
                Value::Absent => {
                    challenges.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: BTreeMap::new() });
                    scanner.skip_token68();
                }
                Value::Broken => return challenges,
            }
        }
    }

    /// The value of a parameter, unless it is empty.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// What follows a word: `=value`, or something else.
enum Value {
    Given(String),
    Absent,
    Broken,
}

/// A cursor over the header's text.
struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn skip_separators(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
    }

    /// RFC 9110 `token`: letters, digits and some marks.
    fn token(&mut self) -> Option<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then(|| word.to_owned())
    }

    /// Passes over the one value that a scheme may have in place of parameters, as in `Negotiate YWJj==`. It is alone behind the
    /// scheme: a parameter has a value behind its sign.
    fn skip_token68(&mut self) {
        let rest = self.rest.trim_start_matches(' ');
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let behind = rest.trim_start_matches(is_part).trim_start_matches('=').trim_start_matches([' ', '\t']);
        if rest.starts_with(is_part) && (behind.is_empty() || behind.starts_with(',')) {
            self.rest = behind;
        }
    }

    /// `=` and a token or a quoted string, with the optional space that the grammar allows around the sign.
    fn value(&mut self) -> Value {
        let Some(rest) = self.rest.trim_start_matches([' ', '\t']).strip_prefix('=') else {
            return Value::Absent;
        };
        self.rest = rest.trim_start_matches([' ', '\t']);
        let value = if self.rest.starts_with('"') { self.quoted() } else { self.token() };
        value.map_or(Value::Broken, Value::Given)
    }

    /// A quoted string, in which a backslash makes the next character plain.
    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(characters.next()?.1),
                plain => value.push(plain),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Challenge;

    #[test]
    fn bearer_parameters_may_hold_commas_and_colons() {
        let header =
            r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#;
        let challenges = Challenge::parse_all(header);
        assert_eq!(challenges.len(), 1);
        assert_eq!(challenges[0].scheme, "bearer");
        assert_eq!(challenges[0].parameter("realm"), Some("https://auth.example/token"));
        assert_eq!(challenges[0].parameter("scope"), Some("repository:a/b:pull,push"));
    }

    #[test]
    fn several_challenges_in_one_header_are_told_apart() {
        let challenges = Challenge::parse_all(r#"Negotiate, Basic realm="a \"quoted\" b", bearer Realm = plain"#);
        let schemes: Vec<_> = challenges.iter().map(|c| c.scheme.as_str()).collect();
        assert_eq!(schemes, ["negotiate", "basic", "bearer"]);
        assert_eq!(challenges[1].parameter("realm"), Some(r#"a "quoted" b"#));
        assert_eq!(challenges[2].parameter("realm"), Some("plain"));
    }

    #[test]
    fn a_value_without_a_name_hides_nothing_behind_it() {
        for value in ["YWJj==", "YWJj", "a+b/c=", "a~b.c-d_e"] {
            let challenges =
                Challenge::parse_all(&format!(r#"Negotiate {value} , Bearer realm="https://a/t",service=s"#));
            let schemes: Vec<_> = challenges.iter().map(|c| c.scheme.as_str()).collect();
            assert_eq!(schemes, ["negotiate", "bearer"], "{value}");
            assert_eq!(challenges[1].parameter("realm"), Some("https://a/t"), "{value}");
            assert_eq!(challenges[1].parameter("service"), Some("s"), "{value}");
        }
        let last = Challenge::parse_all("Bearer realm=r, Negotiate YWJj==");
        assert_eq!((last.len(), last[0].parameter("realm")), (2, Some("r")));
    }

    #[test]
    fn broken_headers_end_quietly() {
        for header in ["", ",,,", "=", "Bearer realm=\"open", "Bearer realm=", "\"", "Bearer realm=\"x\\", "é"] {
            assert!(Challenge::parse_all(header).iter().all(|c| c.parameters.is_empty()), "{header}");
        }
    }
}
