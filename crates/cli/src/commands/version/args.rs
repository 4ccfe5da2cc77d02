//! The arguments of `nex version`.

use clap::Args;

use crate::args::format::Format;

/// `nex version`.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// The form of the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
Examples:
  nex version
  nex version --format json";
