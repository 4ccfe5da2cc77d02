//! The arguments of `nex rm`.

use clap::Args;

use crate::args::guests::GuestsArg;

/// `nex rm`.
#[derive(Debug, Args)]
pub struct RmArgs {
    #[command(flatten)]
    pub guests: GuestsArg,

    /// Kill guests that have not ended, and ignore unknown ones.
    #[arg(short, long)]
    pub force: bool,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex removes the record of a guest that has ended, with its output. Without nex rm, nex removes records 7 days after the guest's end,
and the oldest earlier if all records take more than 1 GiB.

Examples:
  nex rm job
  nex rm --force web
  nex rm $(nex ps --all -q)";
