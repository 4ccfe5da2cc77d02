//! `nex rootfs grow`: from arguments to a larger file, and from its report to the user.

use std::io::Write;

use nex_rootfs::GrowOptions;

use crate::args::{Format, GrowArgs};
use crate::diagnostic::Diagnostic;
use crate::render;

/// Grows the root filesystem, and reports it.
///
/// # Errors
/// When it stays as it was.
pub fn run(args: &GrowArgs) -> Result<(), Diagnostic> {
    let report = nex_rootfs::grow(&GrowOptions { file: args.file.clone(), size: args.size })?;
    let text = match args.format {
        Format::Text => render::grow(&report),
        Format::Json => serde_json::to_string(&report)? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| {
        Diagnostic::new(format!("'{}' is as large as was asked, but no report can be printed: {error}", report.file))
    })
}
