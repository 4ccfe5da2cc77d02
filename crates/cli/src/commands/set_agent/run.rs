//! `nex rootfs set-agent`: from arguments to a changed file, and from its report to the user.

use nex_rootfs::SetAgentOptions;

use super::args::SetAgentArgs;
use super::render;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::environment::source_date_epoch;
use crate::output;

/// Replaces the agent, and reports it.
///
/// # Errors
/// When the agent stays as it was.
pub fn run(args: &SetAgentArgs, common: &CommonArgs) -> Result<(), Diagnostic> {
    let options =
        SetAgentOptions { file: args.file.clone(), agent: args.agent.clone(), source_date_epoch: source_date_epoch()? };
    let report = nex_rootfs::set_agent(&options)?;
    let text = match common.format {
        Format::Text => render::set_agent(&report),
        Format::Json => output::in_json(&report)?,
    };
    output::print_or(&text, || format!("the agent of '{}' is replaced, but no report can be printed", report.file))
}
