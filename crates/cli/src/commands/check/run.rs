//! `nex rootfs check`: from arguments to findings, and from their report to the user.

use std::os::unix::ffi::OsStrExt;

use nex_diagnose::{CheckOptions, Verdict};

use super::args::CheckArgs;
use super::render;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::output;

/// An error was found.
const FAILING: u8 = 1;

/// Something could not be looked at.
const UNKNOWN: u8 = 3;

/// Checks the root filesystem, and reports it.
///
/// # Errors
/// When a file cannot be read.
pub fn run(args: &CheckArgs, common: &CommonArgs) -> Result<End, Diagnostic> {
    let options = CheckOptions {
        kernel: args.kernel.clone(),
        max_kernel: args.max_kernel,
        kernel_config: args.kernel_config.clone(),
        init: args.init.as_ref().map(|init| init.as_bytes().to_vec()),
        overlay: args.overlay,
    };
    let report = nex_diagnose::check_file(&args.file, &options)?;
    let text = match common.format {
        Format::Text => render::check(&report, args.quiet),
        Format::Json => output::in_json(&report)?,
    };
    output::print("the report", &text)?;
    Ok(match report.verdict() {
        Verdict::Sound => End::DONE,
        Verdict::Failing => End::Code(FAILING),
        Verdict::Unknown => End::Code(UNKNOWN),
    })
}
