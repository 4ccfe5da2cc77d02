//! `nex wait`: until guests have ended.

use super::args::WaitArgs;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::guests;

/// Waits for each, and prints its exit code.
///
/// # Errors
/// When the records cannot be used.
pub fn run(args: &WaitArgs, common: &CommonArgs) -> Result<End, Diagnostic> {
    guests::each(&args.guests.guests, common, |guests, word| {
        let mut guest = guests.find(word)?;
        let reason = guest.wait()?;
        match common.format {
            Format::Json => guests::in_json(&guest),
            Format::Text => Ok(format!("{}\n", reason.exit_code())),
        }
    })
}
