//! The arguments of `nex kill`.

use clap::Args;
use nex_channel::Signal;

use crate::args::guests::GuestsArg;
use crate::args::signal;

/// `nex kill`.
#[derive(Debug, Args)]
pub struct KillArgs {
    #[command(flatten)]
    pub guests: GuestsArg,

    /// The signal: a name such as HUP or SIGHUP, or a number.
    #[arg(short, long, value_name = "SIGNAL", value_parser = signal::parse, default_value = "KILL")]
    pub signal: Signal,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex does not wait for the effect of the signal.

Examples:
  nex kill web
  nex kill --signal HUP web";
