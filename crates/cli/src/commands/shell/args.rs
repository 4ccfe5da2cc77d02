//! The arguments of `nex shell`.

use clap::Args;

use crate::args::guests::GuestArg;
use crate::args::program::ProgramArgs;

/// `nex shell`.
#[derive(Debug, Args)]
pub struct ShellArgs {
    #[command(flatten)]
    pub guest: GuestArg,

    #[command(flatten)]
    pub program: ProgramArgs,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The shell is the one that /etc/passwd of the guest has for the user, or /bin/sh where it has no shell. It has a terminal, and ends
with nex. Where standard input is no terminal, it reads commands from there.

Examples:
  nex shell web
  nex shell -u postgres db
  echo 'df -h' | nex shell web";
