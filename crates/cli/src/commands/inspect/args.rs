//! The arguments of `nex inspect`.

use clap::Args;

use crate::args::guests::GuestsArg;

/// `nex inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    #[command(flatten)]
    pub guests: GuestsArg,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
With --format json, nex prints one object a line for each guest. reason and exit_code are null until the guest has ended.

Examples:
  nex inspect web
  nex inspect --format json web";
