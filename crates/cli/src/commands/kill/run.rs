//! `nex kill`: sends the programs of guests a signal.

use super::args::KillArgs;
use crate::args::common::CommonArgs;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::guests;

/// Sends it to each.
///
/// # Errors
/// When the records cannot be used.
pub fn run(args: &KillArgs, common: &CommonArgs) -> Result<End, Diagnostic> {
    guests::each(&args.guests.guests, common, |guests, word| {
        let mut guest = guests.find(word)?;
        guest.kill(args.signal)?;
        guests::done(&guest, word, common)
    })
}
