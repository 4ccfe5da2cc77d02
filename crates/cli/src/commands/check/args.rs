//! The arguments of `nex rootfs check`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::args::size;

/// `nex rootfs check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The root filesystem: an uncompressed ext4 file, made by any program.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The kernel that will boot it: vmlinux, bzImage or Image, compressed or not.
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Option<PathBuf>,

    /// The most bytes that the kernel may have or unpack to.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "256MiB")]
    pub max_kernel: u64,

    /// The kernel's configuration, where the kernel does not carry its own [default: config-VERSION beside it].
    #[arg(long, value_name = "FILE", requires = "kernel")]
    pub kernel_config: Option<PathBuf>,

    /// What the kernel has to start, as by init= [default: what it looks for].
    #[arg(long, value_name = "PATH")]
    pub init: Option<OsString>,

    /// The root will be an overlay over the image.
    #[arg(long)]
    pub overlay: bool,

    /// Show errors, warnings and what could not be looked at, and nothing else.
    #[arg(short, long)]
    pub quiet: bool,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The image is read without a mount, and nothing is run: the file system, the init with its loader and libraries, the agent and
who starts it, the console, users, name servers, machine-id and fstab; then whether the kernel has what they need. docs/checks.md
lists all that is looked for.

Examples:
  nex rootfs check rootfs.ext4
  nex rootfs check rootfs.ext4 --kernel vmlinux
  nex rootfs check rootfs.ext4 --kernel vmlinuz-6.1.0 --kernel-config config-6.1.0 --format json";
