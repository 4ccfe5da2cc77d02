//! The one form in which errors reach the user.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

/// A failure: what went wrong and why.
#[derive(Debug, Serialize)]
pub struct Diagnostic {
    message: String,
    causes: Vec<String>,
    #[serde(skip)]
    exit_code: u8,
    /// A report for programs says it already.
    #[serde(skip)]
    is_reported: bool,
    /// Nobody is to be told.
    #[serde(skip)]
    is_silent: bool,
}

/// Writes a line to standard error. When that is closed or full, there is nobody to tell.
pub fn tell(line: impl Display) {
    let mut lines = StandardError;
    let start = if IS_IN_LINE.load(Ordering::Relaxed) { "\n" } else { "" };
    let _ = writeln!(lines, "{start}{line}");
}

/// Whether the last line on standard error has no end yet.
static IS_IN_LINE: AtomicBool = AtomicBool::new(false);

/// Standard error for what others write, a guest or its program: [`tell`] begins a new line behind it.
pub struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = io::stderr().write(bytes)?;
        if let Some(last) = count.checked_sub(1).and_then(|last| bytes.get(last)) {
            IS_IN_LINE.store(*last != b'\n', Ordering::Relaxed);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Something failed.
const FAILED: u8 = 1;

/// What a shell adds to the number of the signal that has ended a program.
const SIGNALLED: u8 = 128;
const SIGPIPE: u8 = 13;

/// The arguments make no sense; clap ends with the same code.
const USAGE: u8 = 2;

impl Diagnostic {
    /// A failure that has no cause but itself.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), exit_code: FAILED, is_reported: false, is_silent: false }
    }

    /// Arguments that do not go together.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit_code: USAGE, ..Self::new(message) }
    }

    /// The same failure with another exit code.
    pub fn with_exit_code(self, exit_code: u8) -> Self {
        Self { exit_code, ..self }
    }

    /// A failure that a report says, too: programs need no other object.
    pub fn reported(message: impl Into<String>) -> Self {
        Self { is_reported: true, ..Self::new(message) }
    }

    /// Whoever reads standard output has read enough, as `head` does: no failure, and nothing to be said. The exit code is a shell's
    /// for SIGPIPE, which ends most other programs then.
    pub fn enough() -> Self {
        Self { exit_code: SIGNALLED + SIGPIPE, is_silent: true, ..Self::new("standard output is closed") }
    }

    /// Whether nobody is to be told.
    pub fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Whether a report says it already.
    pub fn is_reported(&self) -> bool {
        self.is_reported
    }

    /// The exit code that says the same.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// One line for people, with the causes behind it.
    pub fn text(&self) -> String {
        let mut text = format!("error: {}", self.message);
        for cause in &self.causes {
            text.push_str(": ");
            text.push_str(cause);
        }
        text
    }

    /// One JSON object for programs.
    pub fn json(&self) -> String {
        let object = serde_json::json!({ "schemaVersion": nex_rootfs::SCHEMA_VERSION, "error": self });
        object.to_string()
    }
}

impl<E: std::error::Error> From<E> for Diagnostic {
    fn from(error: E) -> Self {
        let message = error.to_string();
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        // Many errors already say in their message what their source says.
        let causes = causes.map(ToString::to_string).filter(|cause| !message.contains(cause)).collect();
        Self { message, causes, exit_code: FAILED, is_reported: false, is_silent: false }
    }
}
