//! `nex cache`: from arguments to what is in the cache, and from there to the user.

use nex_rootfs::cache::{CacheError, CacheOptions, collect, default_directory, list, verify};

use crate::args::{CacheAction, CachePlace, Format};
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::{json, output, render};

/// Damage was found.
const DAMAGED: u8 = 1;

/// Where a build's cache is; `None` where there is no place for one.
pub fn options(place: &CachePlace) -> Option<CacheOptions> {
    let directory = place.cache_dir.clone().or_else(default_directory)?;
    Some(CacheOptions { directory, limit: place.cache_limit })
}

/// Does what the arguments ask for, and reports it.
///
/// # Errors
/// When the cache cannot be used.
pub fn run(action: &CacheAction) -> Result<End, Diagnostic> {
    let view = action.view();
    let mut options = options(&view.place).ok_or(CacheError::NoPlace)?;
    let is_json = view.format == Format::Json;
    let mut end = End::DONE;
    let text = match action {
        CacheAction::Ls(_) if is_json => json::line(&list(&options)?)?,
        CacheAction::Ls(_) => render::cache::entries(&list(&options)?),
        CacheAction::Du(_) if is_json => json::line(&list(&options)?.usage())?,
        CacheAction::Du(_) => render::cache::usage(&list(&options)?.usage()),
        CacheAction::Gc { all, .. } => {
            if *all {
                options.limit = 0;
            }
            let report = collect(&options)?;
            if is_json { json::line(&report)? } else { render::cache::collected(&report) }
        }
        CacheAction::Verify(_) => {
            let report = verify(&options)?;
            if !report.damaged.is_empty() {
                end = End::Code(DAMAGED);
            }
            if is_json { json::line(&report)? } else { render::cache::verified(&report) }
        }
    };
    output::print("the report", &text)?;
    Ok(end)
}
