//! The arguments of `nex run`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nex_contract::Restart;
use nex_fault::Setting;
use nex_supervise::Name;

use crate::args::duration;
use crate::args::format::Format;
use crate::args::guest::GuestArgs;
use crate::args::overlay::OverlayDriveArg;
use crate::args::variable;
use crate::args::verity::VerityArg;

/// `nex run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The root filesystem: an uncompressed ext4 file that nex made.
    ///
    /// nex never changes it, and any number of guests may use it at once.
    #[arg(long, value_name = "FILE")]
    pub rootfs: PathBuf,

    /// A program of this machine, for the guest [default: the image's own entrypoint].
    ///
    /// A static binary is best.
    #[arg(value_name = "BINARY")]
    pub binary: Option<PathBuf>,

    /// The program's arguments.
    ///
    /// Without BINARY, they replace the image's command and follow its entrypoint.
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<OsString>,

    /// A variable for the program, on top of the image's; may be given several times.
    ///
    /// NAME alone takes the value from the environment of nex.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable::parse)]
    pub env: Vec<String>,

    /// The user that the program runs as [default: the image's user, else root].
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

    /// The directory that the program starts in [default: the image's, else /].
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,

    /// How many files the program may have open [default: 1048576, or as many as the guest's kernel gives].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub open_files: Option<u64>,

    /// When to start the program again after its end: no, on-failure, on-failure:NUMBER or always.
    #[arg(long, value_name = "POLICY", default_value_t = Restart::No)]
    pub restart: Restart,

    /// Pass standard input to the program.
    #[arg(short, long)]
    pub interactive: bool,

    /// Give the program a terminal.
    #[arg(short, long)]
    pub tty: bool,

    /// Start the guest in the background, and print its id; nex ps shows it.
    #[arg(short, long)]
    pub detach: bool,

    /// The name of the guest.
    ///
    /// Guests that have ended can have the same name, others cannot.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<Name>,

    /// How long the program may run once the guest is up, such as 90s or 5m.
    ///
    /// After that time nex stops it, and the exit code is 124.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub timeout: Option<Duration>,

    /// How long the guest may take until it is up.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "2m")]
    pub boot_timeout: Duration,

    /// How long the program and its guest may take to end when nex asks them to; then nex kills them.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "10s")]
    pub stop_timeout: Duration,

    #[command(flatten)]
    pub overlay: OverlayDriveArg,

    #[command(flatten)]
    pub verity: VerityArg,

    /// Start the guest even if nex rootfs check finds errors in the root filesystem.
    #[arg(long)]
    pub no_check: bool,

    /// Show what the kernel and others write to the guest's console, on standard error.
    #[arg(long)]
    pub console: bool,

    /// The form of the report, on standard error.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    #[command(flatten)]
    pub guest: GuestArgs,
}

fn name(text: &str) -> Result<Name, String> {
    text.parse().map_err(|error| nex_fault::advised(&error, Setting::flag))
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex passes on the program's standard output and standard error, byte for byte. The program's standard input is empty, unless
--interactive passes yours on. The program runs in the image's root, with the image's environment, user and directory. Its changes
there are gone when the guest ends, unless --overlay-drive names a file. A dynamic program runs if the image has its loader and
libraries.

Ctrl-C and SIGTERM stop the program, as docker stop does, and then the guest; a second one kills the guest. After Ctrl-C, nex
itself ends by SIGINT, so that a shell's loop ends, too.

Examples:
  nex run --rootfs app.ext4 --kernel vmlinux ./hello -- --name world
  nex run --rootfs app.ext4 --kernel vmlinux
  nex run --rootfs alpine.ext4 --kernel vmlinux --env A=1 -- /bin/sh -c 'echo $A'
  nex run --rootfs app.ext4 --kernel vmlinux --overlay-drive state.ext4 ./server";
