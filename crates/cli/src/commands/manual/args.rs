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
man(1) finds pages by name in the directory man1 below each directory that it searches, such as ~/.local/share/man.

Examples:
  nex manual rootfs-boot | man -l -
  nex manual --dir ~/.local/share/man/man1";
