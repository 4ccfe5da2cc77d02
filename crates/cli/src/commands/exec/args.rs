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

    /// The program, by its path in the guest or by a name to be looked up there, and its arguments.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub command: Vec<OsString>,

    /// Pass standard input on to the program.
    #[arg(short, long)]
    pub interactive: bool,

    /// Give the program a terminal; with --interactive, every key goes to it.
    #[arg(short, long)]
    pub tty: bool,

    #[command(flatten)]
    pub program: ProgramArgs,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The program runs beside the guest's own, with the same environment, user and directory unless flags say otherwise. It ends with nex:
where nex is killed, the guest kills the program and all that it has started.

Without --tty, nex passes SIGINT (Ctrl-C), SIGTERM, SIGHUP and SIGQUIT on to the program. With --tty and --interactive, Ctrl-C is a
key like any other, and a signal to nex ends nex.

Examples:
  nex exec web -- ps
  nex exec -it web -- /bin/sh
  nex exec -u postgres -w /var/lib db -- ls -l
  nex exec -i web -- tar -x -C /srv <site.tar";
