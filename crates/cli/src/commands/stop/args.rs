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

    /// How long the guest may take to end, such as 30s; then nex kills it [default: the --stop-timeout of its nex run].
    #[arg(short, long, value_name = "TIME", value_parser = duration::parse)]
    pub timeout: Option<Duration>,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex sends the guest's program its stop signal: SIGTERM unless the image says otherwise. nex stop returns when only the guest's record
remains: VMM, drives and network are free again. For a guest that has ended already, it succeeds at once.

Examples:
  nex stop web
  nex stop --timeout 60s db cache";
