//! `nex cache`: from arguments to what is in the cache, and from there to the user.

use nex_cache::{CacheError, list, verify};
use nex_cancel::Cancel;
use nex_rootfs::collect_garbage;

use super::args::{CacheAction, CacheCommand};
use super::render;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::Process;
use crate::output;

/// Damage was found.
const DAMAGED: u8 = 1;

/// Does what the arguments ask for, and reports it.
///
/// # Errors
/// When the cache cannot be used.
pub fn run(args: &CacheCommand, common: &CommonArgs, process: &Process) -> Result<End, Diagnostic> {
    let view = args.action.view();
    let mut options = view.place.options().ok_or(CacheError::NoPlace)?;
    let is_json = common.format == Format::Json;
    let mut end = End::DONE;
    let text = match &args.action {
        CacheAction::Ls(_) if is_json => output::in_json(&list(&options)?)?,
        CacheAction::Ls(_) => render::entries(&list(&options)?),
        CacheAction::Du(_) if is_json => output::in_json(&list(&options)?.usage())?,
        CacheAction::Du(_) => render::usage(&list(&options)?.usage()),
        CacheAction::Gc { all, work_place, .. } => {
            if *all {
                options.limit = 0;
            }
            let report = collect_garbage(&options, &work_place.directory(), &Cancel::never(), &process.workspace)?;
            if is_json { output::in_json(&report)? } else { render::collected(&report) }
        }
        CacheAction::Verify(_) => {
            let report = verify(&options)?;
            if !report.damaged.is_empty() {
                end = End::Code(DAMAGED);
            }
            if is_json { output::in_json(&report)? } else { render::verified(&report) }
        }
    };
    output::print("the report", &text)?;
    Ok(end)
}
