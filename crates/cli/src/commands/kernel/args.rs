//! The arguments of `nex kernel`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use nex_kernel::Architecture;

use crate::args::guest::VmmArg;
use crate::args::size;

/// `nex kernel`.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct KernelCommand {
    /// What to do with kernels.
    #[command(subcommand)]
    pub action: KernelAction,
}

/// The commands about kernels.
#[derive(Debug, Subcommand)]
pub enum KernelAction {
    /// List the installed kernels, the newest first.
    #[command(after_help = "Examples:\n  nex kernel ls")]
    Ls(KernelView),
    /// Print the path of the newest installed kernel that fits.
    #[command(after_help = "Examples:\n  nex kernel path --platform arm64\n  nex kernel path --vmm firecracker")]
    Path {
        #[command(flatten)]
        view: KernelView,

        /// The kernel's platform: amd64 or arm64, with or without linux/ before it [default: this machine's].
        #[arg(long, value_name = "[OS/]ARCH", value_parser = platform)]
        platform: Option<Architecture>,

        /// The VMM that has to start the kernel; auto is either of the two.
        #[arg(long, value_enum, default_value_t = VmmArg::Auto)]
        vmm: VmmArg,
    },
    /// Build a kernel for guests from Debian's source, and install it.
    #[command(after_help = "Examples:\n  nex kernel build\n  nex kernel build --platform arm64")]
    Build {
        #[command(flatten)]
        view: KernelView,

        /// The kernel's platform: amd64 or arm64, with or without linux/ before it [default: this machine's].
        #[arg(long, value_name = "[OS/]ARCH", value_parser = platform)]
        platform: Option<Architecture>,

        /// Build the kernel again if this machine has built it before: Debian's source may be newer now.
        #[arg(long)]
        rebuild: bool,
    },
    /// Print a kernel's properties, and which options for guests it has.
    #[command(after_help = "Examples:\n  nex kernel check /boot/vmlinuz-6.1.0-50-cloud-amd64")]
    Check {
        #[command(flatten)]
        view: KernelView,

        /// The kernel: vmlinux, bzImage or Image, compressed or not.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// The configuration of a kernel that does not contain it [default: config-RELEASE beside the kernel].
        #[arg(long, value_name = "FILE")]
        kernel_config: Option<PathBuf>,
    },
    /// Check a kernel, and install a copy of it.
    #[command(
        after_help = "Examples:\n  nex kernel add vmlinux\n  nex kernel add --replace vmlinux --kernel-config config-6.12"
    )]
    Add {
        #[command(flatten)]
        view: KernelView,

        /// The kernel: vmlinux, bzImage or Image, compressed or not.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// The configuration of a kernel that does not contain it [default: config-RELEASE beside the kernel].
        #[arg(long, value_name = "FILE")]
        kernel_config: Option<PathBuf>,

        /// Replace another kernel of the same release and form.
        #[arg(long)]
        replace: bool,
    },
}

/// What all of them take.
#[derive(Debug, Args)]
pub struct KernelView {
    /// The most bytes that a kernel may have, compressed or unpacked.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "256MiB")]
    pub max_kernel: u64,
}

impl KernelAction {
    /// What all of them take.
    pub fn view(&self) -> &KernelView {
        match self {
            Self::Ls(view)
            | Self::Path { view, .. }
            | Self::Build { view, .. }
            | Self::Check { view, .. }
            | Self::Add { view, .. } => view,
        }
    }
}

/// A platform that a guest's kernel can be for.
fn platform(text: &str) -> Result<Architecture, String> {
    let platform: nex_image::Platform = text.parse().map_err(|error| format!("{error}"))?;
    match (platform.os(), platform.architecture()) {
        ("linux", "amd64") => Ok(Architecture::X86_64),
        ("linux", "arm64") => Ok(Architecture::Aarch64),
        _ => Err("guests have kernels for amd64 and arm64, and no others".into()),
    }
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
Installed kernels are in $XDG_DATA_HOME/nex/kernels, else ~/.local/share/nex/kernels. 'nex run' and 'nex rootfs boot' without
--kernel take the newest of them that fits the root filesystem, else the newest in /boot. docs/kernels.md lists what a guest needs
of its kernel.

'nex kernel build' needs gcc, make and apt-get with Debian's packages, but no root. It takes some minutes, and 3 GB of disk for a
while. The cache keeps the result, so a machine builds the kernel of one version of nex only once.

Examples:
  nex kernel build
  nex kernel ls
  nex kernel check /boot/vmlinuz-6.1.0-50-cloud-amd64
  nex kernel add vmlinux
  nex kernel path --platform arm64
  qemu-system-x86_64 -kernel \"$(nex kernel path --vmm qemu)\" ...";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_one_that_guests_have() {
        assert_eq!(platform("linux/amd64"), Ok(Architecture::X86_64));
        assert_eq!(platform("x86_64"), Ok(Architecture::X86_64));
        assert_eq!(platform("arm64"), Ok(Architecture::Aarch64));
        for text in ["riscv64", "windows/amd64", "", "arm/v7"] {
            assert!(platform(text).is_err(), "{text}");
        }
    }
}
