//! Why something was not done, as programs get it.

use std::error::Error;

use nex_fault::{Fault, Setting};
use serde::{Deserialize, Serialize};

/// The object that commands print as `error` with `--format json` (`docs/errors.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What programs compare.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What has brought it about, the nearest cause first.
    #[serde(default)]
    pub causes: Vec<String>,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
}

impl Failure {
    /// An error with its causes and its remedy, in which settings have these words.
    pub fn of(error: &dyn Fault, words: impl Fn(Setting) -> String) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(nex_text::one_line(&cause.to_string()));
            source = cause.source();
        }
        Self {
            code: error.code().id().to_owned(),
            message: nex_text::one_line(&error.to_string()),
            causes,
            hint: error.remedy().map(|remedy| nex_text::one_line(&remedy.words(words))),
        }
    }

    /// The same in one line, for people.
    pub fn line(&self) -> String {
        let mut line = self.message.clone();
        for cause in &self.causes {
            line.push_str(": ");
            line.push_str(cause);
        }
        if let Some(hint) = &self.hint {
            line.push_str("; ");
            line.push_str(hint);
        }
        line
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.line())
    }
}

impl Error for Failure {}
