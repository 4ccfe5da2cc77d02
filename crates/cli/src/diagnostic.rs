//! The one form in which errors reach the user.

use std::error::Error;

use nex_contract::Document;
use nex_text::Lines;
use serde_json::json;

use crate::end::End;
use crate::json;

/// A failure: what went wrong and why, as a terminal may see it.
#[derive(Debug)]
pub struct Diagnostic {
    /// Whole: what is too long is cut when it is shown, with all that stands in its line.
    message: String,
    causes: Vec<String>,
    /// What stands below.
    lines: Vec<String>,
    end: End,
    /// A report for programs says it already.
    is_reported: bool,
    /// Nobody is to be told.
    is_silent: bool,
}

/// Something failed.
const FAILED: u8 = 1;

/// What comes to a program that writes for nobody.
const SIGPIPE: i32 = 13;

/// The arguments make no sense; clap ends with the same code.
const USAGE: u8 = 2;

impl Diagnostic {
    /// A failure that has no cause but itself.
    pub fn new(message: impl Into<String>) -> Self {
        let message = nex_text::one_line(&message.into());
        let (causes, lines) = (Vec::new(), Vec::new());
        Self { message, causes, lines, end: End::Code(FAILED), is_reported: false, is_silent: false }
    }

    /// Arguments that do not go together.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { end: End::Code(USAGE), ..Self::new(message) }
    }

    /// The same failure with another exit code.
    pub fn with_exit_code(self, exit_code: u8) -> Self {
        Self { end: End::Code(exit_code), ..self }
    }

    /// The same failure, which a signal to nex has brought about.
    pub fn by_signal(self, signal: i32) -> Self {
        Self { end: End::Signal(signal), ..self }
    }

    /// A failure that a report says, too: programs need no other object.
    pub fn reported(message: impl Into<String>) -> Self {
        Self { is_reported: true, ..Self::new(message) }
    }

    /// Whoever reads standard output has read enough, as `head` does: no failure, and nothing to be said. The exit code is a shell's
    /// for SIGPIPE, which ends most other programs then.
    pub fn enough() -> Self {
        Self {
            end: End::Code(End::Signal(SIGPIPE).exit_code()),
            is_silent: true,
            ..Self::new("standard output is closed")
        }
    }

    /// Whether nobody is to be told.
    pub fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Whether a report says it already.
    pub fn is_reported(&self) -> bool {
        self.is_reported
    }

    /// The end of nex that says the same.
    pub fn end(&self) -> End {
        self.end
    }

    /// For people: a line with the causes behind it, and the lines below it.
    pub fn text(&self) -> String {
        self.after("error: ")
    }

    /// The same, where it is known to be a failure.
    pub fn words(&self) -> String {
        self.after("")
    }

    fn after(&self, start: &str) -> String {
        let mut line = format!("{start}{}", self.message);
        for cause in &self.causes {
            line.push_str(": ");
            line.push_str(cause);
        }
        nex_text::message(&line) + &self.below()
    }

    fn below(&self) -> String {
        self.lines.iter().map(|line| format!("\n{}", nex_text::message(&format!("  {line}")))).collect()
    }

    /// One JSON object for programs, in a line.
    pub fn json(&self) -> String {
        let message = nex_text::message(&self.message) + &self.below();
        let causes: Vec<_> = self.causes.iter().map(|cause| nex_text::message(cause)).collect();
        let error = json!({ "message": message, "causes": causes });
        json::line(&json!({ "schemaVersion": Document::Error.schema_version(), "error": error })).unwrap_or_default()
    }

    /// What an error and its sources say.
    pub fn of(error: &dyn Error) -> Self {
        let message = error.to_string();
        let (mut causes, mut lines) = (Vec::new(), Vec::new());
        let mut source = error.source();
        while let Some(cause) = source {
            match cause.downcast_ref::<Lines>() {
                Some(below) => lines.extend(below.shown()),
                None => causes.push(cause.to_string()),
            }
            source = cause.source();
        }
        // Many errors already say in their message what their source says.
        causes.retain(|cause| !message.contains(cause));
        let causes = causes.iter().map(|cause| nex_text::one_line(cause)).collect();
        Self { causes, lines, ..Self::new(message) }
    }
}

impl<E: Error> From<E> for Diagnostic {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands before a message, and what stands behind it, are parts of its line.
    #[test]
    fn no_line_of_a_message_is_longer_than_4_kib() {
        let lines = ["b".repeat(5000), "short".to_owned()];
        for length in [10, 4085, 4086, 4096, 4097, 60_000] {
            let (causes, lines) = (vec!["c".repeat(length)], lines.to_vec());
            let diagnostic = Diagnostic { causes, lines, ..Diagnostic::new("m".repeat(length)) };
            let text = diagnostic.text();
            assert!(text.starts_with("error: mmmmmmmmmm") && text.ends_with("\n  short"), "{text}");
            assert!(text.lines().chain(diagnostic.words().lines()).all(|line| line.len() <= 4096), "{length}");
            let json: serde_json::Value = serde_json::from_str(&diagnostic.json()).expect("JSON");
            let parts =
                [&json["error"]["message"], &json["error"]["causes"][0]].map(|part| part.as_str().unwrap_or(""));
            assert!(parts.iter().flat_map(|part| part.lines()).all(|line| !line.is_empty() && line.len() <= 4096));
        }
    }
}
