//! `nex rootfs grow`: from arguments to a larger file, and from its report to the user.

use nex_rootfs::GrowOptions;

use super::args::GrowArgs;
use super::render;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::{json, output};

/// Grows the root filesystem, and reports it.
///
/// # Errors
/// When it stays as it was.
pub fn run(args: &GrowArgs) -> Result<(), Diagnostic> {
    let report = nex_rootfs::grow(&GrowOptions { file: args.file.clone(), size: args.size })?;
    let text = match args.format {
        Format::Text => render::grow(&report),
        Format::Json => json::line(&report)?,
    };
    output::print_or(&text, |error| {
        format!("'{}' is as large as was asked, but no report can be printed: {error}", report.file)
    })
}
