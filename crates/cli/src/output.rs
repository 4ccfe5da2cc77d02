//! Standard output and standard error: nothing of nex comes to them but through here.
//!
//! Whatever was forgotten elsewhere, a message and a report have no character in them that steers a terminal. The lints of this
//! crate (`clippy.toml`, `main.rs`) keep others from the streams.
#![expect(clippy::disallowed_methods, reason = "this is the place that the others are led to")]

use std::fmt::Display;
use std::io::{self, IsTerminal, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use clap::error::ErrorKind;
use indicatif::MultiProgress;
use rustix::termios::{OutputModes, tcgetattr};
use serde::Serialize;

use crate::args::common::{ColorArg, CommonArgs};
use crate::args::format::Stream;
use crate::codes::OUTPUT;
use crate::diagnostic::Diagnostic;
use crate::json;

/// Writes a message to standard error. When that is closed or full, there is nobody to tell.
pub fn tell(message: impl Display) {
    tell_lines(&nex_text::message(&message.to_string()));
}

/// Writes what is good to know, and no warning, unless nobody wants it.
pub fn note(message: impl Display) {
    progress(format_args!("note: {message}"));
}

/// Writes how far something is, unless nobody wants that.
pub fn progress(message: impl Display) {
    if !is_quiet() {
        tell(message);
    }
}

/// Whether nobody wants progress and notes.
pub fn is_quiet() -> bool {
    IS_QUIET.load(Ordering::Relaxed)
}

/// Takes what the arguments say about messages.
pub fn obey(common: &CommonArgs) {
    IS_QUIET.store(common.quiet, Ordering::Relaxed);
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_coloured = match common.color {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto => {
            is_error_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    };
    IS_COLOURED.store(is_coloured, Ordering::Relaxed);
}

/// The word that a message begins with, in its colour. The text has nothing else in it that steers a terminal.
fn painted(text: String) -> String {
    const LABELS: [(&str, &str); 3] = [("error:", "1;31"), ("warning:", "1;33"), ("note:", "1;36")];
    let label = LABELS.iter().filter(|_| IS_COLOURED.load(Ordering::Relaxed));
    let found = label.copied().find_map(|(label, colour)| Some((label, colour, text.strip_prefix(label)?)));
    match found {
        Some((label, colour, rest)) => format!("\x1b[{colour}m{label}\x1b[0m{rest}"),
        None => text,
    }
}

/// Writes a text of our own lines to standard error.
pub fn tell_lines(text: &str) {
    // There is nobody to tell of this failure, either.
    let _ = write_error(text);
}

/// Writes our own lines to standard error.
///
/// # Errors
/// When standard error is closed or full.
pub fn write_error(text: &str) -> io::Result<()> {
    if let Some(teller) = TELLER.get() {
        teller(text);
        return Ok(());
    }
    let mut lines = StandardError;
    let start = if IS_IN_LINE.load(Ordering::Relaxed) { "\n" } else { "" };
    let (text, end) = (painted(nex_text::lines(text.strip_suffix('\n').unwrap_or(text))), line_end());
    let text = format!("{start}{text}{END}").replace('\n', end);
    match SCREEN.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        // The bars stand below all that is written.
        Some(bars) => bars.suspend(|| lines.write_all(text.as_bytes())),
        None => lines.write_all(text.as_bytes()),
    }
}

/// Has all of our own lines told by this from now on, in a process that has no standard error to speak of.
pub fn tell_by(teller: impl Fn(&str) + Send + Sync + 'static) {
    // There is one such process, and it begins with this.
    drop(TELLER.set(Box::new(teller)));
}

type Teller = Box<dyn Fn(&str) + Send + Sync>;

/// Who gets our own lines in place of standard error.
static TELLER: OnceLock<Teller> = OnceLock::new();

/// What ends a text.
const END: &str = "\n";

/// Keeps messages out of the lines of these bars from now on.
pub fn share_screen(bars: &MultiProgress) {
    *SCREEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bars.clone());
}

/// The bars of progress on standard error.
static SCREEN: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// What ends a line on standard error. A terminal that is lent to a guest does not go back to the first column by itself.
fn line_end() -> &'static str {
    let is_raw =
        tcgetattr(rustix::stdio::stderr()).is_ok_and(|terminal| !terminal.output_modes.contains(OutputModes::OPOST));
    if is_raw { "\r\n" } else { "\n" }
}

/// Writes what the arguments are answered with, a refusal or the help, in the form that clap gives it.
///
/// # Errors
/// When it is the help, and standard output is full, or nobody reads it any more.
pub fn answer_arguments(error: &clap::Error) -> Result<(), Diagnostic> {
    if error.use_stderr() {
        let lines = error.render().to_string();
        tell_lines(&lines.lines().map(|line| nex_text::message(line) + "\n").collect::<String>());
        return Ok(());
    }
    let what = if error.kind() == ErrorKind::DisplayVersion { "the version" } else { "the help" };
    // It is our own text.
    let written = error.print().and_then(|()| io::stdout().flush());
    written.map_err(|error| unwritten(&error, unwritten_words(what)))
}

/// Writes an error as JSON, if anybody reads that.
pub fn tell_program(diagnostic: &Diagnostic, stream: Option<Stream>) {
    match stream {
        Some(Stream::Error) => tell_lines(&diagnostic.json()),
        // Who does not take it was told on standard error.
        Some(Stream::Output) => _ = print("the error", &diagnostic.json()),
        None => {}
    }
}

/// Writes all that a command has to say, in our own lines.
///
/// # Errors
/// When standard output is full, or nobody reads it any more.
pub fn print(what: &str, text: &str) -> Result<(), Diagnostic> {
    print_or(text, || unwritten_words(what))
}

fn unwritten_words(what: &str) -> String {
    format!("cannot write {what} to standard output")
}

/// A report for programs, in a line.
///
/// # Errors
/// When a value has no form in JSON.
pub fn in_json(report: &impl Serialize) -> Result<String, Diagnostic> {
    json::line(report).map_err(|error| Diagnostic::new(OUTPUT, "the report has no form in JSON").caused(&error))
}

/// Writes the report of what is done already; `failed` says so where the report cannot be written.
///
/// # Errors
/// When standard output is full, or nobody reads it any more.
pub fn print_or(text: &str, failed: impl FnOnce() -> String) -> Result<(), Diagnostic> {
    let mut output = io::stdout();
    let written = write_lines(&mut output, text).and_then(|()| output.flush());
    written.map_err(|error| unwritten(&error, failed()))
}

/// Why nobody has what was written to standard output, and what that means.
fn unwritten(error: &io::Error, failed: String) -> Diagnostic {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Diagnostic::enough(),
        _ => Diagnostic::new(OUTPUT, failed).caused(error),
    }
}

/// Writes our own lines piece by piece: a report in JSON is one of many megabytes.
fn write_lines(output: &mut impl Write, text: &str) -> io::Result<()> {
    const PIECE: usize = 64 << 10;
    let mut rest = text;
    while !rest.is_empty() {
        let end = (PIECE..rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        output.write_all(nex_text::lines(piece).as_bytes())?;
        rest = behind;
    }
    Ok(())
}

/// Standard output for what a guest's program writes, byte for byte.
pub fn raw_output() -> StdoutLock<'static> {
    io::stdout().lock()
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether standard input is one.
pub fn is_input_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Whether standard error is one.
pub fn is_error_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether progress and notes are left out.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// Whether messages have colours.
static IS_COLOURED: AtomicBool = AtomicBool::new(false);

/// Whether the last line on standard error has no end yet.
static IS_IN_LINE: AtomicBool = AtomicBool::new(false);

/// Takes note of bytes that were written to standard error: [`tell`] begins a new line behind them.
pub fn note_error_bytes(bytes: &[u8]) {
    if let Some(last) = bytes.last() {
        IS_IN_LINE.store(*last != b'\n', Ordering::Relaxed);
    }
}

/// Standard error for what others write, a guest or its program, byte for byte: [`tell`] begins a new line behind it.
pub struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = io::stderr().write(bytes)?;
        note_error_bytes(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_pieces_is_the_same() {
        for character in ['a', '\x1b', '\u{e9}', '\u{202e}', '\n', '\u{1f980}'] {
            for before in ["", "x", "xy"] {
                let text = format!("{before}{}\r\n", String::from(character).repeat(100_000));
                let mut written = Vec::new();
                assert!(write_lines(&mut written, &text).is_ok());
                assert!(written == nex_text::lines(&text).into_bytes(), "{before}{character:?}");
            }
        }
    }
}
