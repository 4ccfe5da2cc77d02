//! The arguments of `nex attach`.

use clap::Args;

use crate::args::guests::GuestArg;

/// `nex attach`.
#[derive(Debug, Args)]
pub struct AttachArgs {
    #[command(flatten)]
    pub guest: GuestArg,

    /// Only look on: pass no standard input and no signals on.
    #[arg(long)]
    pub no_stdin: bool,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex shows what the guest's program writes from now on (nex logs shows what it has written before), and ends as it ends. Standard
input goes to a program that was started with nex run --interactive. Several may be attached at once.

Ctrl-P Ctrl-Q leaves the program, which runs on, where its terminal passes keys on. Without a terminal, nex passes Ctrl-C, SIGTERM,
SIGHUP and SIGQUIT on to the program.

Examples:
  nex attach web
  nex attach --no-stdin web";
