//! The arguments of `nex rm`.

use clap::Args;

use crate::args::guests::GuestsArg;

/// `nex rm`.
#[derive(Debug, Args)]
pub struct RmArgs {
    #[command(flatten)]
    pub guests: GuestsArg,

    /// Kill a guest that is there, and pass over one that is not known.
    #[arg(short, long)]
    pub force: bool,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
What is removed is the record of a guest that has ended, with its output. nex removes records by itself 7 days after the end, and
the oldest where they take more than 1 GiB.

Examples:
  nex rm job
  nex rm --force web
  nex rm $(nex ps --all -q)";
