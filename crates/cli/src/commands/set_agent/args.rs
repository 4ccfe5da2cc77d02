//! The arguments of `nex rootfs set-agent`.

use std::path::PathBuf;

use clap::Args;
use nex_contract::AGENT;

/// `nex rootfs set-agent`.
#[derive(Debug, Args)]
pub struct SetAgentArgs {
    /// The root filesystem: an uncompressed file that nex made, in use by nobody.
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
The agent is checked as when a root filesystem is made, and takes the place of {AGENT} through the file
system's journal: a stop at any moment leaves the old agent or the new. The file's owner, mode and times stay.

Examples:
  nex rootfs set-agent rootfs.ext4 ./my-agent

Environment:
  SOURCE_DATE_EPOCH  the time that the agent's file gets in place of the one that it has"
    )
}
