//! The arguments of `nex rootfs boot`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::script::duration;
use super::{Format, GuestArgs, OverlayDriveArg, VerityArg};

/// `nex rootfs boot`.
#[derive(Debug, Args)]
pub struct BootArgs {
    /// The root filesystem: an uncompressed ext4 file. It never changes, and others may have it open.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Give the guest a root that is only read, and an overlay over it in its memory: with such a root, any number of guests
    /// share one file and its pages in memory.
    #[arg(long)]
    pub overlay: bool,

    #[command(flatten)]
    pub overlay_drive: OverlayDriveArg,

    #[command(flatten)]
    pub verity: VerityArg,

    /// How long the agent may take to report, such as 90s or 5m.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2m")]
    pub timeout: Duration,

    /// Keep the guest when the agent has reported, with its console as this terminal; Ctrl-A x ends it.
    #[arg(short, long)]
    pub interactive: bool,

    /// The form of the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Do not show the console.
    #[arg(short, long, conflicts_with = "interactive")]
    pub quiet: bool,

    // Last, for its heading in the help stands over all that follows.
    #[command(flatten)]
    pub guest: GuestArgs,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
What the guest writes to its drive is gone when it ends, unless --overlay-drive names a file. When the agent has reported,
the guest is told to end by Ctrl-Alt-Del, and killed when it does not. The console goes to standard error, the report to
standard output.

KVM is used when a guest has shown that it works here; nex remembers the answer until the machine starts again.

Examples:
  nex rootfs boot rootfs.ext4 --kernel vmlinux
  nex rootfs boot rootfs.ext4 --kernel /boot/vmlinuz-6.1.0-50-cloud-amd64 --quiet --format json
  nex rootfs boot rootfs.ext4 --kernel vmlinux --interactive
  nex rootfs boot rootfs.ext4 --kernel vmlinux --overlay-drive state.ext4
  nex rootfs boot sealed.ext4 --kernel vmlinux --verity sealed.ext4";
