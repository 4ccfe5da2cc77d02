//! What a guest is called by people, if they call it anything.

use std::fmt;
use std::str::FromStr;

use nex_fault::{Code, Fault, Remedy};
use serde::{Deserialize, Serialize};

use crate::codes;

/// The longest name: what a label of a host's name has (RFC 1035), so that a guest's name can be its hostname.
const LONGEST: usize = 63;

/// A guest's name, by Docker's pattern: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, 63 characters at most. It is no path but one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Name(Box<str>);

/// The text is no guest's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseNameError {
    text: String,
}

impl fmt::Display for ParseNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" cannot be a guest's name", nex_text::short_name(&self.text))
    }
}

impl std::error::Error for ParseNameError {}

impl Fault for ParseNameError {
    fn code(&self) -> Code {
        codes::NAME
    }

    fn remedy(&self) -> Option<Remedy> {
        let rule = "begin with a letter of ASCII or a digit, go on with those, '_', '.' and '-'";
        Some(Remedy::say(format!("{rule}, and end after {LONGEST} characters")))
    }
}

impl Name {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        let follows = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let is_name = text.len() <= LONGEST
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
            && text.bytes().all(follows);
        if is_name { Ok(Self(text.into())) } else { Err(ParseNameError { text: text.into() }) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into()
    }
}

impl TryFrom<String> for Name {
    type Error = ParseNameError;

    fn try_from(text: String) -> Result<Self, ParseNameError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_dockers_pattern_and_are_no_paths() {
        for text in ["a", "0", "web-1", "A_b.c", &"x".repeat(LONGEST)] {
            assert_eq!(text.parse::<Name>().unwrap().as_str(), text);
        }
        for text in ["", ".", "..", "-a", "_a", "a/b", "a b", "ä", "a\n", "a\0", &"x".repeat(LONGEST + 1)] {
            let error = text.parse::<Name>().unwrap_err();
            assert_eq!(error.code(), codes::NAME);
            assert!(error.to_string().chars().all(|letter| !letter.is_control()), "{error}");
        }
    }
}
