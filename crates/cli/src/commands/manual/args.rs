//! The arguments of `nex manual`.

use std::path::PathBuf;

use clap::Args;

/// `nex manual`.
#[derive(Debug, Args)]
pub struct ManualArgs {
    /// The command, in one word: rootfs-boot is 'nex rootfs boot' [default: the page of nex itself].
    pub command: Option<String>,

    /// Write all pages to this directory, and list their names.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "command")]
    pub dir: Option<PathBuf>,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
A directory man1 of one that man(1) looks through, such as ~/.local/share/man, is where pages are found by name.

Examples:
  nex manual rootfs-boot | man -l -
  nex manual --dir ~/.local/share/man/man1";
