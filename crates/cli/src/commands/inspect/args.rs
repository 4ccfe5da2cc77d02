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
With --format json, there is an object in a line for each guest. reason and exit_code are null as long as the guest is there.

Examples:
  nex inspect web
  nex inspect --format json web";
