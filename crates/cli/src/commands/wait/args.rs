//! The arguments of `nex wait`.

use clap::Args;

use crate::args::guests::GuestsArg;

/// `nex wait`.
#[derive(Debug, Args)]
pub struct WaitArgs {
    #[command(flatten)]
    pub guests: GuestsArg,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex prints the exit code of each guest, in the order of the arguments. With --format json, it prints the objects of nex inspect, one a
line.

Examples:
  nex wait web
  code=$(nex wait job)";
