//! The arguments of `nex rootfs explain`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// `nex rootfs explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// What the guest has written on its console: a file, or - for standard input.
    #[arg(value_name = "LOG")]
    pub log: OsString,

    /// The root filesystem that the guest was given; with it, the answer is better.
    #[arg(long, alias = "image", value_name = "FILE")]
    pub rootfs: Option<PathBuf>,

    /// The kernel's command line [default: what the kernel says that it was given].
    #[arg(long, value_name = "WORDS")]
    pub command_line: Option<OsString>,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The first line that explains something is the cause; what it brought stands behind it. The log may be cut off and may have
escapes, carriage returns and a VMM's own words in it: what Firecracker writes to its standard output will do.

Examples:
  nex rootfs explain console.log
  nex rootfs explain console.log --rootfs rootfs.ext4
  firecracker --config-file vm.json | nex rootfs explain -";
