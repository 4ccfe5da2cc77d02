//! `nex stop`: ends guests.

use super::args::StopArgs;
use crate::args::common::CommonArgs;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::guests;

/// Stops each.
///
/// # Errors
/// When the records cannot be used.
pub fn run(args: &StopArgs, common: &CommonArgs) -> Result<End, Diagnostic> {
    guests::each(&args.guests.guests, common, |guests, word| {
        let mut guest = guests.find(word)?;
        guest.stop(args.timeout)?;
        guests::done(&guest, word, common)
    })
}
