//! The arguments of `nex rootfs config`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::guest::{AccelArg, MachineArgs};
use crate::args::overlay::OverlayDriveArg;
use crate::args::verity::VerityArg;

/// `nex rootfs config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The root filesystem: an uncompressed ext4 file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Who starts the guest.
    #[arg(long = "for", value_name = "FOR", value_enum, default_value_t = StarterArg::Firecracker)]
    pub starter: StarterArg,

    /// Write the configuration into this directory, which is made, with an unpacked copy of the kernel and, where the kernel has
    /// its drivers in modules, an initramfs: vm_config.json, vmlinux (on arm64: Image), initramfs.cpio. For QEMU the initramfs alone.
    #[arg(long, value_name = "DIR")]
    pub write_to: Option<PathBuf>,

    /// Give the guest a root that is only read, and an overlay over it in its memory: the file never changes, and any number
    /// of guests share it.
    #[arg(long)]
    pub overlay: bool,

    #[command(flatten)]
    pub overlay_drive: OverlayDriveArg,

    #[command(flatten)]
    pub verity: VerityArg,

    /// Who executes the guest's instructions in QEMU; Firecracker has KVM alone.
    #[arg(long, value_enum, default_value_t = AccelArg::Auto)]
    pub accel: AccelArg,

    // Last, for its heading in the help stands over all that follows.
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// The value of `--for`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StarterArg {
    /// A configuration's file, as firecracker --config-file takes it.
    Firecracker,
    /// A command line for a shell.
    Qemu,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
Nothing is started, and FILE does not change. But for QEMU, the guest then writes to FILE itself: Firecracker has no snapshots.
With --overlay or --verity the guest only reads FILE. All names are whole, so that they hold in every directory.

A file that --overlay-drive names is made when it is not there.

Examples:
  nex rootfs config rootfs.ext4 --kernel vmlinux >vm_config.json
  nex rootfs config rootfs.ext4 --write-to vm && firecracker --no-api --config-file vm/vm_config.json
  nex rootfs config rootfs.ext4 --kernel vmlinux --overlay --memory 1G --vcpus 2
  nex rootfs config sealed.ext4 --kernel vmlinux --verity sealed.ext4
  nex rootfs config rootfs.ext4 --for qemu";
