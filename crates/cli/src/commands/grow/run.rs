//! `nex rootfs grow`: from arguments to a larger file, and from its report to the user.

use nex_rootfs::GrowOptions;

use super::args::GrowArgs;
use super::render;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::output;

/// Grows the root filesystem, and reports it.
///
/// # Errors
/// When it stays as it was.
pub fn run(args: &GrowArgs, common: &CommonArgs) -> Result<(), Diagnostic> {
    let report = nex_rootfs::grow(&GrowOptions { file: args.file.clone(), size: args.size })?;
    let text = match common.format {
        Format::Text => render::grow(&report),
        Format::Json => output::in_json(&report)?,
    };
    output::print_or(&text, || format!("'{}' is as large as was asked, but no report can be printed", report.file))
}
