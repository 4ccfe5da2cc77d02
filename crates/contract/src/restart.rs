//! Whether a workload is started again when it has ended.

use std::fmt;
use std::str::FromStr;

use nex_fault::{Code, Fault};
use serde::{Deserialize, Serialize};

use crate::codes;

/// The policy, in the words that Docker's users know: `no`, `on-failure`, `on-failure:3`, `always`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Restart {
    /// It is not.
    #[default]
    No,
    /// It is, when it ended with another exit code than 0 or by a signal.
    OnFailure {
        /// How often in a row at most; without one, for ever.
        times: Option<u32>,
    },
    /// It is, whatever its end.
    Always,
}

/// The text is no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseRestartError {
    text: String,
}

impl fmt::Display for ParseRestartError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let text = nex_text::short_name(&self.text);
        write!(formatter, "\"{text}\" is no restart policy; there are no, on-failure, on-failure:NUMBER and always")
    }
}

impl std::error::Error for ParseRestartError {}

impl Fault for ParseRestartError {
    fn code(&self) -> Code {
        codes::RESTART
    }
}

impl FromStr for Restart {
    type Err = ParseRestartError;

    fn from_str(text: &str) -> Result<Self, ParseRestartError> {
        let error = || ParseRestartError { text: text.into() };
        match text.split_once(':') {
            None if text == "no" => Ok(Self::No),
            None if text == "always" => Ok(Self::Always),
            None if text == "on-failure" => Ok(Self::OnFailure { times: None }),
            Some(("on-failure", times)) => {
                times.parse().map(|times| Self::OnFailure { times: Some(times) }).map_err(|_| error())
            }
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::No => formatter.write_str("no"),
            Self::OnFailure { times: None } => formatter.write_str("on-failure"),
            Self::OnFailure { times: Some(times) } => write!(formatter, "on-failure:{times}"),
            Self::Always => formatter.write_str("always"),
        }
    }
}

impl From<Restart> for String {
    fn from(restart: Restart) -> Self {
        restart.to_string()
    }
}

impl TryFrom<String> for Restart {
    type Error = ParseRestartError;

    fn try_from(text: String) -> Result<Self, ParseRestartError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_and_written() {
        for text in ["no", "on-failure", "on-failure:0", "on-failure:3", "always"] {
            assert_eq!(text.parse::<Restart>().unwrap().to_string(), text);
        }
        for text in ["", "yes", "on-failure:", "on-failure:-1", "always:3", "no "] {
            let error = text.parse::<Restart>().unwrap_err().to_string();
            assert!(error.contains("is no restart policy"), "{error}");
        }
    }
}
