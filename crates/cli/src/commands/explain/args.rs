//! The arguments of `nex rootfs explain`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// `nex rootfs explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The guest's console output: a file, or - for standard input.
    #[arg(value_name = "LOG")]
    pub log: OsString,

    /// The guest's root filesystem; with it, the answer is better.
    #[arg(long, alias = "image", value_name = "FILE")]
    pub rootfs: Option<PathBuf>,

    /// The kernel's command line [default: the one that the kernel printed].
    #[arg(long, value_name = "WORDS")]
    pub command_line: Option<OsString>,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The first line that explains the failure is the cause, and its effects follow it. The log may be cut off, and may contain escapes,
carriage returns and a VMM's own words. So Firecracker's standard output works, too.

Examples:
  nex rootfs explain console.log
  nex rootfs explain console.log --rootfs rootfs.ext4
  firecracker --config-file vm.json | nex rootfs explain -";
