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

    /// The most bytes that the kernel may have, compressed or unpacked.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "256MiB")]
    pub max_kernel: u64,

    /// The configuration of a kernel that does not contain it [default: config-VERSION beside the kernel].
    #[arg(long, value_name = "FILE", requires = "kernel")]
    pub kernel_config: Option<PathBuf>,

    /// The program that the kernel has to start, as with init= [default: the first that the kernel finds].
    #[arg(long, value_name = "PATH")]
    pub init: Option<OsString>,

    /// The root will be an overlay over the image.
    #[arg(long)]
    pub overlay: bool,

    /// Show only errors, warnings and what nex could not look at.
    #[arg(short, long)]
    pub quiet: bool,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex reads the image without a mount, and runs nothing. It looks at the file system, the init with its loader and libraries, the
agent and what starts it, the console, users, name servers, machine-id and fstab. With --kernel it also checks that the kernel has
what they need. docs/checks.md lists everything that it looks for.

Examples:
  nex rootfs check rootfs.ext4
  nex rootfs check rootfs.ext4 --kernel vmlinux
  nex rootfs check rootfs.ext4 --kernel vmlinuz-6.1.0 --kernel-config config-6.1.0 --format json";
