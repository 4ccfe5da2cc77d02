//! Standard output.

use std::io::{self, Write};

use crate::diagnostic::Diagnostic;

/// Writes all that a command has to say.
///
/// # Errors
/// When standard output is full, or nobody reads it any more.
pub fn print(what: &str, bytes: impl AsRef<[u8]>) -> Result<(), Diagnostic> {
    print_or(bytes, |error| format!("cannot write {what} to standard output: {error}"))
}

/// Writes the report of what is done already; `failed` says so where the report cannot be written.
///
/// # Errors
/// When standard output is full, or nobody reads it any more.
pub fn print_or(bytes: impl AsRef<[u8]>, failed: impl FnOnce(io::Error) -> String) -> Result<(), Diagnostic> {
    let mut output = io::stdout();
    let written = output.write_all(bytes.as_ref()).and_then(|()| output.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Diagnostic::enough(),
        _ => Diagnostic::new(failed(error)),
    })
}
