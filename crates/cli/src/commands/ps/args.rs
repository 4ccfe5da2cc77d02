//! The arguments of `nex ps`.

use clap::Args;

/// `nex ps`.
#[derive(Debug, Args)]
pub struct PsArgs {
    /// List guests that have ended, too.
    #[arg(short, long)]
    pub all: bool,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The newest guest comes first. Guests of nex run are listed as long as they are there; of those that were started with --detach, nex
keeps a record for 7 days, or until nex rm removes it. With --quiet, there are ids alone.

Examples:
  nex ps
  nex ps --all
  nex ps --all --format json
  nex stop $(nex ps -q)";
