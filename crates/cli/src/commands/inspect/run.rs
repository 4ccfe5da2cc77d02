//! `nex inspect`: the details of guests.

use nex_supervise::UnixMillis;

use super::args::InspectArgs;
use super::render;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::guests;

/// Reports it.
///
/// # Errors
/// When the records cannot be used.
pub fn run(args: &InspectArgs, common: &CommonArgs) -> Result<End, Diagnostic> {
    guests::each(&args.guests.guests, common, |guests, word| {
        let guest = guests.find(word)?;
        match common.format {
            Format::Json => guests::in_json(&guest),
            Format::Text => Ok(render::guest(&guest, UnixMillis::now())),
        }
    })
}
