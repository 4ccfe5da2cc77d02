//! How a guest was started, as far as its clients have to know.

use std::ops::Not;

use serde::{Deserialize, Serialize};

/// How a guest was started. What is missing in JSON is not so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mode {
    /// It goes on without who has started it: its output is kept, and so is its record.
    #[serde(skip_serializing_if = "Not::not")]
    pub detached: bool,
    /// Its program gets standard input.
    #[serde(skip_serializing_if = "Not::not")]
    pub stdin: bool,
    /// Its program has a terminal.
    #[serde(skip_serializing_if = "Not::not")]
    pub terminal: bool,
}
