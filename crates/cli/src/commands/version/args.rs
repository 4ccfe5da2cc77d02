//! The arguments of `nex version`.

use clap::Args;

/// `nex version`.
#[derive(Debug, Args)]
pub struct VersionArgs {}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
Examples:
  nex version
  nex version --format json";
