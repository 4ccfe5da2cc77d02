//! The arguments of `nex attach`.

use clap::Args;

use crate::args::guests::GuestArg;

/// `nex attach`.
#[derive(Debug, Args)]
pub struct AttachArgs {
    #[command(flatten)]
    pub guest: GuestArg,

    /// Only show output: pass no standard input and no signals to the program.
    #[arg(long)]
    pub no_stdin: bool,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex shows the output that the guest's program writes from now on, and ends with its exit code; nex logs shows earlier output. Standard
input goes to a program that was started with nex run --interactive. Several terminals can be attached at once.

If keys go to the program's terminal, Ctrl-P Ctrl-Q detaches, and the program continues to run. Without a terminal, nex passes Ctrl-C,
SIGTERM, SIGHUP and SIGQUIT to the program.

Examples:
  nex attach web
  nex attach --no-stdin web";
