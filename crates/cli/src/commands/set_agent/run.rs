//! `nex rootfs set-agent`: from arguments to a changed file, and from its report to the user.

use std::path::Path;

use nex_fault::Fault;
use nex_guest::Root;
use nex_rootfs::SetAgentOptions;

use super::args::SetAgentArgs;
use super::render;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::environment::source_date_epoch;
use crate::output;

/// Whether the file is one that an agent could be put into.
fn is_root_filesystem(path: &Path) -> bool {
    Root::open(path).is_ok_and(|root| root.read().is_ok())
}

/// Replaces the agent, and reports it.
///
/// # Errors
/// When the agent stays as it was.
pub fn run(args: &SetAgentArgs, common: &CommonArgs) -> Result<(), Diagnostic> {
    let options =
        SetAgentOptions { file: args.file.clone(), agent: args.agent.clone(), source_date_epoch: source_date_epoch()? };
    let report = nex_rootfs::set_agent(&options).map_err(|error| {
        let failed = Diagnostic::of(&error);
        let is_turned = error.code() == nex_rootfs::codes::AGENT_NO_PROGRAM && is_root_filesystem(&args.agent);
        if is_turned {
            failed.hinting("the root filesystem stands first: 'nex rootfs set-agent FILE AGENT'")
        } else {
            failed
        }
    })?;
    let text = match common.format {
        Format::Text => render::set_agent(&report),
        Format::Json => output::in_json(&report)?,
    };
    output::print_or(&text, || format!("the agent of '{}' is replaced, but no report can be printed", report.file))
}
