//! The arguments of `nex rootfs set-agent`.

use std::path::PathBuf;

use clap::Args;
use nex_contract::AGENT;

/// `nex rootfs set-agent`.
#[derive(Debug, Args)]
pub struct SetAgentArgs {
    /// The root filesystem: an uncompressed file that nex made, and that no program uses.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The new agent: a program for the guest.
    #[arg(value_name = "AGENT")]
    pub agent: PathBuf,
}

/// What `--help` says behind the flags.
pub fn help() -> String {
    format!(
        "\
nex checks the agent as it does when it makes a root filesystem, and replaces {AGENT} through the file
system's journal. A stop at any moment leaves the old agent or the new one. The file keeps its owner, mode and times.

Examples:
  nex rootfs set-agent rootfs.ext4 ./my-agent

Environment:
  SOURCE_DATE_EPOCH  a new time for the agent's file"
    )
}
