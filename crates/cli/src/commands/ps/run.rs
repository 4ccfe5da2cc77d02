//! `nex ps`: which guests there are.

use nex_contract::Document;
use nex_supervise::api::Inspection;
use serde::Serialize;

use super::args::PsArgs;
use super::render;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::{guests, output};

/// Lists them.
///
/// # Errors
/// When the records cannot be used.
pub fn run(args: &PsArgs, common: &CommonArgs) -> Result<(), Diagnostic> {
    let guests = guests::look()?;
    let listed: Vec<_> = guests.listed().iter().filter(|guest| args.all || guest.state.is_living()).collect();
    let text = match common.format {
        Format::Json => {
            let guests = listed.iter().map(|guest| Inspection::of(&guest.record, guest.state)).collect();
            output::in_json(&GuestsReport { schema_version: Document::Guests.schema_version(), guests })?
        }
        Format::Text if common.quiet => render::ids(&listed),
        Format::Text => render::table(&listed, nex_supervise::UnixMillis::now()),
    };
    output::print("the report", &text)
}

/// Guests, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GuestsReport {
    schema_version: u32,
    /// The newest first.
    guests: Vec<Inspection>,
}
