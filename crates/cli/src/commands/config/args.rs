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

    /// The program that starts the guest.
    #[arg(long = "for", value_name = "FOR", value_enum, default_value_t = StarterArg::Firecracker)]
    pub starter: StarterArg,

    /// Make this directory, with the configuration and the files that the configuration names.
    ///
    /// They are vm_config.json, vmlinux (on arm64: Image), which is an unpacked copy of the kernel, and initramfs.cpio if the
    /// kernel has its drivers in modules. For QEMU, nex writes only the initramfs.
    #[arg(long, value_name = "DIR")]
    pub write_to: Option<PathBuf>,

    /// Give the guest a read-only root, with an overlay over it in the guest's memory.
    ///
    /// The file never changes then, and any number of guests share it.
    #[arg(long)]
    pub overlay: bool,

    #[command(flatten)]
    pub overlay_drive: OverlayDriveArg,

    #[command(flatten)]
    pub verity: VerityArg,

    /// What executes the guest's instructions in QEMU; Firecracker has only KVM.
    #[arg(long, value_enum, default_value_t = AccelArg::Auto)]
    pub accel: AccelArg,

    // Last, for its heading in the help stands over all that follows.
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// The value of `--for`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StarterArg {
    /// A configuration file for firecracker --config-file.
    Firecracker,
    /// A command line for a shell.
    Qemu,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex starts nothing, and does not change FILE. A guest that you then start in Firecracker writes to FILE itself, because
Firecracker has no snapshots; a guest in QEMU does not. With --overlay or --verity a guest only reads FILE. All paths are
absolute, so that they hold in every directory.

If the file that --overlay-drive names does not exist, nex makes it.

Examples:
  nex rootfs config rootfs.ext4 --kernel vmlinux >vm_config.json
  nex rootfs config rootfs.ext4 --write-to vm && firecracker --no-api --config-file vm/vm_config.json
  nex rootfs config rootfs.ext4 --kernel vmlinux --overlay --memory 1G --vcpus 2
  nex rootfs config sealed.ext4 --kernel vmlinux --verity sealed.ext4
  nex rootfs config rootfs.ext4 --for qemu";
