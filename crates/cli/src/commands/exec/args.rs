//! The arguments of `nex exec`.

use std::ffi::OsString;

use clap::Args;

use crate::args::guests::GuestArg;
use crate::args::program::ProgramArgs;

/// `nex exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    #[command(flatten)]
    pub guest: GuestArg,

    /// The program, by its path in the guest or by a name that the guest looks up, and its arguments.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub command: Vec<OsString>,

    /// Pass standard input to the program.
    #[arg(short, long)]
    pub interactive: bool,

    /// Give the program a terminal; with --interactive, nex passes every key to it.
    #[arg(short, long)]
    pub tty: bool,

    #[command(flatten)]
    pub program: ProgramArgs,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The program has the environment, user and directory of the guest's own program, unless flags say otherwise. If nex ends first, the
guest kills the program and all processes that it has started.

Without --tty, nex passes SIGINT (Ctrl-C), SIGTERM, SIGHUP and SIGQUIT to the program. With --tty and --interactive, nex passes Ctrl-C
to the program as a key, and a signal to nex ends nex.

Examples:
  nex exec web -- ps
  nex exec -it web -- /bin/sh
  nex exec -u postgres -w /var/lib db -- ls -l
  nex exec -i web -- tar -x -C /srv <site.tar";
