//! `nex version`: what a report of a fault has to say about the program.

use nex_contract::Document;
use serde::Serialize;

use super::args::VersionArgs;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::output;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    schema_version: u32,
    /// By semantic versioning.
    version: &'static str,
    /// The commit of the sources; a debug build, and one without Git, does not know it.
    commit: Option<&'static str>,
    /// What the program was built for, as a target of Rust.
    target: &'static str,
}

const VERSION: Version = Version {
    schema_version: Document::Version.schema_version(),
    version: env!("CARGO_PKG_VERSION"),
    commit: option_env!("NEX_BUILD_COMMIT"),
    target: env!("NEX_BUILD_TARGET"),
};

/// Says it.
///
/// # Errors
/// When standard output is full, or nobody reads it any more.
pub fn run(_: &VersionArgs, common: &CommonArgs) -> Result<(), Diagnostic> {
    print(common.format)
}

/// Says it in this form.
///
/// # Errors
/// When standard output is full, or nobody reads it any more.
pub fn print(format: Format) -> Result<(), Diagnostic> {
    let Version { version, commit, target, .. } = VERSION;
    let text = match format {
        Format::Text => {
            format!("nex {version}\ncommit      {}\ntarget      {target}\n", commit.unwrap_or("unknown"))
        }
        Format::Json => output::in_json(&VERSION)?,
    };
    output::print("the version", &text)
}
