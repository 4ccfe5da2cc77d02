//! `nex rm`: removes the records of guests.

use std::time::Duration;

use nex_client::ClientError;
use nex_supervise::{LookupError, StateError};

use super::args::RmArgs;
use crate::args::common::CommonArgs;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::guests;

/// Removes each.
///
/// # Errors
/// When the records cannot be used.
pub fn run(args: &RmArgs, common: &CommonArgs) -> Result<End, Diagnostic> {
    guests::each(&args.guests.guests, common, |guests, word| {
        let mut guest = match guests.find(word) {
            Err(ClientError::Lookup(LookupError::NotFound { .. })) if args.force => return Ok(String::new()),
            guest => guest?,
        };
        if args.force {
            guest.stop(Some(Duration::ZERO))?;
        }
        guests.remove(&guest.record().id).map_err(|error| {
            let is_living = matches!(error, StateError::Living(_));
            let diagnostic = Diagnostic::of(&error);
            if is_living { diagnostic.hinting("stop it first, or say --force") } else { diagnostic }
        })?;
        guests::done(&guest, word, common)
    })
}
