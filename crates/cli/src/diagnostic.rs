//! The one form in which errors reach the user.

use std::error::Error;
use std::io;

use nex_contract::Document;
use nex_fault::{Code, Fault, Setting};
use nex_supervise::api::Failure;
use nex_text::Lines;
use serde::Serialize;

use crate::codes::{OF_USAGE, SYSTEM, USAGE};
use crate::end::End;
use crate::json;

/// A failure: what went wrong and why, and what to do about it, as a terminal may see it.
#[derive(Debug)]
pub struct Diagnostic(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: Code,
    /// Whole: what is too long is cut when it is shown, with all that stands in its line.
    message: String,
    causes: Vec<String>,
    /// What to do about it.
    hint: Option<String>,
    /// What stands below.
    lines: Vec<String>,
    end: End,
    /// A report for programs says it already.
    is_reported: bool,
    /// There is nobody to tell.
    is_silent: bool,
}

/// A failure for programs, in the order of docs/errors.md.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    schema_version: u32,
    error: Failure,
}

/// Something failed.
const FAILED_EXIT: u8 = 1;

/// What comes to a program that writes for nobody.
const SIGPIPE: i32 = 13;

/// The arguments make no sense; clap ends with the same code.
pub const USAGE_EXIT: u8 = 2;

impl Diagnostic {
    /// A failure that has no cause but itself. The code says whether it is one of usage.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let exit_code = if OF_USAGE.contains(&code) { USAGE_EXIT } else { FAILED_EXIT };
        Self(Box::new(Parts {
            code,
            message: nex_text::one_line(&message.into()),
            causes: Vec::new(),
            hint: None,
            lines: Vec::new(),
            end: End::Code(exit_code),
            is_reported: false,
            is_silent: false,
        }))
    }

    /// Arguments that do not go together.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    /// An argument that a library does not take, for a reason that is not always one of usage.
    pub fn of_argument(error: &dyn Fault) -> Self {
        Self::of(error).with_exit_code(USAGE_EXIT)
    }

    /// The system gives nex not what any program may have: a thread, a signal, a pipe.
    pub fn system(error: io::Error) -> Self {
        Self::new(SYSTEM, error.to_string())
    }

    /// A failure with its cause.
    pub fn caused(self, cause: &dyn Error) -> Self {
        self.because(nex_fault::whole(cause))
    }

    /// A failure with what has brought it about, in words.
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.0.causes = [nex_text::one_line(&cause.into())].into();
        self
    }

    /// A failure with what to do about it.
    pub fn hinting(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(nex_text::one_line(&hint.into()));
        self
    }

    /// The same failure with more to do about it.
    pub fn hinting_also(self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        match self.0.hint.clone() {
            Some(first) => self.hinting(format!("{first}; {hint}")),
            None => self.hinting(hint),
        }
    }

    /// The same failure with another exit code.
    pub fn with_exit_code(mut self, exit_code: u8) -> Self {
        self.0.end = End::Code(exit_code);
        self
    }

    /// The same failure, which a signal to nex has brought about.
    pub fn by_signal(mut self, signal: i32) -> Self {
        self.0.end = End::Signal(signal);
        self
    }

    /// The same failure, which a report says, too: programs need no other object.
    pub fn reported(mut self) -> Self {
        self.0.is_reported = true;
        self
    }

    /// The reader of standard output has read enough, as `head` does: no failure, and nothing to be said. The exit code is a shell's
    /// for SIGPIPE, which ends most other programs then.
    pub fn enough() -> Self {
        let mut enough = Self::new(SYSTEM, "standard output is closed");
        enough.0.end = End::Code(End::Signal(SIGPIPE).exit_code());
        enough.0.is_silent = true;
        enough
    }

    /// What programs know it by.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Whether there is nobody to tell.
    pub fn is_silent(&self) -> bool {
        self.0.is_silent
    }

    /// Whether a report says it already.
    pub fn is_reported(&self) -> bool {
        self.0.is_reported
    }

    /// The end of nex that says the same.
    pub fn end(&self) -> End {
        self.0.end
    }

    /// For people: a line with the causes and the hint behind it, and the lines below it.
    pub fn text(&self) -> String {
        self.after("error: ")
    }

    /// The same, where it is known to be a failure.
    pub fn words(&self) -> String {
        self.after("")
    }

    fn after(&self, start: &str) -> String {
        let mut line = format!("{start}{}", self.0.message);
        for cause in &self.0.causes {
            line.push_str(": ");
            line.push_str(cause);
        }
        if let Some(hint) = &self.0.hint {
            line.push_str("; ");
            line.push_str(hint);
        }
        nex_text::message(&line) + &self.below()
    }

    fn below(&self) -> String {
        self.0.lines.iter().map(|line| format!("\n{}", nex_text::message(&format!("  {line}")))).collect()
    }

    /// The same for programs.
    pub fn failure(&self) -> Failure {
        Failure {
            code: self.0.code.id().to_owned(),
            message: nex_text::message(&self.0.message) + &self.below(),
            causes: self.0.causes.iter().map(|cause| nex_text::message(cause)).collect(),
            hint: self.0.hint.as_deref().map(nex_text::message),
        }
    }

    /// One JSON object for programs, in a line.
    pub fn json(&self) -> String {
        let object = Object { schema_version: Document::Error.schema_version(), error: self.failure() };
        json::line(&object).unwrap_or_default()
    }

    /// What an error of a library says: the fact, its causes, and its remedy with the flags of the command line.
    pub fn of(error: &dyn Fault) -> Self {
        let mut diagnostic = Self::new(error.code(), error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            match cause.downcast_ref::<Lines>() {
                Some(below) => diagnostic.0.lines.extend(below.shown()),
                None => diagnostic.0.causes.push(nex_text::one_line(&cause.to_string())),
            }
            source = cause.source();
        }
        diagnostic.0.hint = error.remedy().map(|remedy| nex_text::one_line(&remedy.words(Setting::flag)));
        diagnostic
    }
}

impl<E: Fault> From<E> for Diagnostic {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::*;
    use crate::cli::Cli;

    /// A remedy that names a flag which is not there helps nobody.
    #[test]
    fn every_setting_is_a_flag() {
        fn has(command: &Command, setting: Setting) -> bool {
            command.get_arguments().any(|argument| argument.get_long() == Some(setting.name()))
                || command.get_subcommands().any(|command| has(command, setting))
        }
        let missing: Vec<_> = Setting::ALL.iter().filter(|setting| !has(&Cli::command(), **setting)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    /// What stands before a message, and what stands behind it, are parts of its line.
    #[test]
    fn no_line_of_a_message_is_longer_than_4_kib() {
        let lines = ["b".repeat(5000), "short".to_owned()];
        for length in [10, 4085, 4086, 4096, 4097, 60_000] {
            let (causes, lines) = (vec!["c".repeat(length)], lines.to_vec());
            let mut diagnostic = Diagnostic::new(SYSTEM, "m".repeat(length));
            (diagnostic.0.causes, diagnostic.0.lines) = (causes, lines);
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
