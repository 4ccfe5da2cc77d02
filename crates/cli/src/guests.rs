//! What commands about guests have in common.

use nex_client::{Guest, Guests};
use nex_contract::Document;
use nex_fault::{Setting, advised};
use nex_supervise::api::Inspection;
use nex_supervise::default_directory;
use serde::Serialize;

use crate::args::common::CommonArgs;
use crate::args::format::{Format, Stream};
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::output;

/// Something failed with a guest, which kept no other.
const FAILED: u8 = 1;

/// The guests, swept. What could not be swept is a warning: it is of other guests, as a rule.
///
/// # Errors
/// When the records cannot be used.
pub fn look() -> Result<Guests, Diagnostic> {
    let guests = Guests::look(&default_directory()?)?;
    guests
        .problems()
        .iter()
        .for_each(|problem| output::tell(format_args!("warning: {}", advised(problem, Setting::flag))));
    Ok(guests)
}

/// Does something with each of some guests. What fails with one keeps no other, and nobody is named twice for one failure.
///
/// # Errors
/// When the records cannot be used, or the report cannot be written.
pub fn each(
    words: &[String],
    common: &CommonArgs,
    mut act: impl FnMut(&Guests, &str) -> Result<String, Diagnostic>,
) -> Result<End, Diagnostic> {
    let guests = look()?;
    let mut end = End::DONE;
    for word in words {
        match act(&guests, word) {
            Ok(text) => output::print("the report", &text)?,
            Err(diagnostic) => {
                output::tell_lines(&diagnostic.text());
                output::tell_program(&diagnostic, (common.format == Format::Json).then_some(Stream::Output));
                end = End::Code(FAILED);
            }
        }
    }
    Ok(end)
}

/// The report of what was done to a guest: the word that it was named by, or all that is known of it.
///
/// # Errors
/// When it has no form.
pub fn done(guest: &Guest, word: &str, common: &CommonArgs) -> Result<String, Diagnostic> {
    match common.format {
        Format::Json => in_json(guest),
        Format::Text => Ok(format!("{word}\n")),
    }
}

/// A guest in JSON, in a line.
///
/// # Errors
/// When it has no form.
pub fn in_json(guest: &Guest) -> Result<String, Diagnostic> {
    output::in_json(&GuestReport::of(guest.inspection()))
}

/// What is known of a guest, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GuestReport {
    schema_version: u32,
    #[serde(flatten)]
    guest: Inspection,
}

impl GuestReport {
    fn of(guest: Inspection) -> Self {
        Self { schema_version: Document::Guest.schema_version(), guest }
    }
}
