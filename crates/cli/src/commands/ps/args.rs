//! The arguments of `nex ps`.

use clap::Args;

/// `nex ps`.
#[derive(Debug, Args)]
pub struct PsArgs {
    /// List also guests that have ended.
    #[arg(short, long)]
    pub all: bool,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The newest guest comes first. nex lists guests of nex run until they end. It keeps the record of a guest that was started with --detach
for 7 days after its end, or until nex rm removes it. With --quiet, nex prints only ids.

Examples:
  nex ps
  nex ps --all
  nex ps --all --format json
  nex stop $(nex ps -q)";
