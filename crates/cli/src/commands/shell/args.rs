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
nex starts the user's shell from the guest's /etc/passwd, or /bin/sh if that file names no shell. The shell has a terminal, and ends
with nex. If standard input is not a terminal, the shell reads commands from it.

Examples:
  nex shell web
  nex shell -u postgres db
  echo 'df -h' | nex shell web";
