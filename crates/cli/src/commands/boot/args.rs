//! The arguments of `nex rootfs boot`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nex_boot::LinePattern;

use crate::args::duration;
use crate::args::format::Format;
use crate::args::guest::GuestArgs;
use crate::args::overlay::OverlayDriveArg;
use crate::args::verity::VerityArg;

/// `nex rootfs boot`.
#[derive(Debug, Args)]
pub struct BootArgs {
    /// The root filesystem: an uncompressed ext4 file.
    ///
    /// nex never changes it, and other programs may have it open.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Give the guest a read-only root, with an overlay over it in the guest's memory.
    ///
    /// With such a root, any number of guests share one file and its pages in memory.
    #[arg(long)]
    pub overlay: bool,

    #[command(flatten)]
    pub overlay_drive: OverlayDriveArg,

    #[command(flatten)]
    pub verity: VerityArg,

    /// Start the guest even if nex rootfs check finds that no kernel mounts the root filesystem.
    #[arg(long)]
    pub no_check: bool,

    /// A regular expression for a line on the console that shows that the guest is ready.
    ///
    /// It takes the place of the agent's report.
    #[arg(long, value_name = "REGEX", conflicts_with = "ready_after")]
    pub ready: Option<LinePattern>,

    /// How long the guest must run to count as ready, whatever the agent reports; --timeout then has no effect.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub ready_after: Option<Duration>,

    /// How long the guest may take to be ready, such as 90s or 5m.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "2m")]
    pub timeout: Duration,

    /// Keep the guest running when it is ready, with this terminal as its console; Ctrl-A x ends it.
    ///
    /// The end of standard input ends it, too: once it is ready and its console is silent for 5 seconds, or after --timeout.
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
nex asks the guest to end by Ctrl-Alt-Del, and kills a guest that does not. The console goes to standard error, the report to
standard output.

An agent that is not nex's own does not report, so an image with such an agent needs --ready or --ready-after. Both also work
with nex's own agent. --ready looks at the console line by line, without colours, and at the output of the programs that nex's
agent runs.

nex uses KVM once a guest has shown that it works here, and remembers the answer until the machine restarts.

Examples:
  nex rootfs boot rootfs.ext4 --kernel vmlinux
  nex rootfs boot rootfs.ext4 --kernel /boot/vmlinuz-6.1.0-50-cloud-amd64 --quiet --format json
  nex rootfs boot rootfs.ext4 --kernel vmlinux --interactive
  nex rootfs boot rootfs.ext4 --kernel vmlinux --overlay-drive state.ext4
  nex rootfs boot debian.ext4 --kernel vmlinux --ready ' login: $'
  nex rootfs boot sealed.ext4 --kernel vmlinux --verity sealed.ext4";
