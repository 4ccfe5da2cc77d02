//! The arguments of `nex stop`.

use std::time::Duration;

use clap::Args;

use crate::args::duration;
use crate::args::guests::GuestsArg;

/// `nex stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    #[command(flatten)]
    pub guests: GuestsArg,

    /// How long the guest may take to end, such as 30s; then it is killed [default: the --stop-timeout of its nex run].
    #[arg(short, long, value_name = "TIME", value_parser = duration::parse)]
    pub timeout: Option<Duration>,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The guest's program gets its stop signal, SIGTERM unless the image says otherwise. nex stop ends when nothing of the guest is left
but its record: VMM, drives and network are free again. A guest that has ended is stopped.

Examples:
  nex stop web
  nex stop --timeout 60s db cache";
