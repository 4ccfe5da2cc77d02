//! Why there is no guest, in the user's terms.

use std::io;
use std::path::PathBuf;

use nex_kernel::ModulesError;
use thiserror::Error;

use crate::drive::DriveError;
use crate::root_fs::RootError;
use crate::verity::VerityError;

/// Why a guest cannot be started, or followed. What happens in the guest is no error.
#[derive(Debug, Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read '{}': {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// The root filesystem is none.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The kernel's file cannot be read.
    #[error(transparent)]
    Kernel(nex_kernel::Error),
    /// The kernel's file is something else.
    #[error("cannot boot '{}': {cause}", .path.display())]
    NoKernel {
        /// The file.
        path: PathBuf,
        /// What it is.
        cause: nex_kernel::Error,
    },
    /// The kernel's file is not whole.
    #[error("cannot boot '{}': {cause}; copy or download it again", .path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
        /// What is missing.
        cause: nex_kernel::Error,
    },
    /// The kernel would not take all of its command line.
    #[error("the kernel's command line would have {bytes} bytes, and kernels take {most}; shorten what --append gives")]
    CommandLine {
        /// Its length.
        bytes: usize,
        /// The longest that there may be.
        most: usize,
    },
    /// The kernel's modules cannot be used.
    #[error(transparent)]
    Modules(#[from] ModulesError),
    /// An initramfs is needed, and there is no init for it.
    #[error(
        "this kernel's drivers are modules, so it needs an initramfs with nex-agent as its init, and there is none beside nex; \
         name one with --agent, or bring an initramfs with --initrd"
    )]
    NoAgent,
    /// The agent does not run on this kernel.
    #[error(
        "the agent '{}' for the initramfs is {found}, and the kernel is for {wanted}; name a nex-agent for it with --agent",
        .path.display()
    )]
    OtherAgent {
        /// The agent.
        path: PathBuf,
        /// What it is.
        found: String,
        /// The kernel's processor.
        wanted: &'static str,
    },
    /// The agent for the initramfs is somebody else's.
    #[error(
        "the agent '{}' for the initramfs {why}; name a nex-agent with --agent, or bring an initramfs of your own with --initrd",
        .path.display()
    )]
    ForeignAgent {
        /// The agent.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// QEMU does not find the kernel's entry.
    #[error(
        "QEMU cannot boot the vmlinux '{}': it has no PVH entry (CONFIG_PVH=y); take the bzImage of the same build", .0.display()
    )]
    NoEntry(PathBuf),
    /// The file's form is one that no VMM here takes.
    #[error("no VMM here boots '{}', which is {form}; {remedy}", .path.display())]
    Form {
        /// The kernel.
        path: PathBuf,
        /// What it is.
        form: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The root cannot be checked as was asked for.
    #[error(transparent)]
    Verity(#[from] VerityError),
    /// A drive for the guest cannot be made.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// No memory for the initramfs.
    #[error("cannot keep the initramfs in memory: {0}")]
    Memory(io::Error),
    /// The VMM does not run the guest.
    #[error(transparent)]
    Vmm(#[from] nex_vmm::Error),
    /// The console cannot be read.
    #[error("cannot follow the guest: {0}")]
    Follow(io::Error),
    /// KVM was asked for, and it does not work.
    #[error("KVM does not work here: {0}; without --accel kvm the guest is emulated")]
    NoKvm(String),
    /// Firecracker has no emulation.
    #[error("Firecracker runs guests with KVM alone; for an emulated one there is --vmm qemu")]
    NoEmulation,
    /// A jail was asked for, and it is not Firecracker's.
    #[error("only Firecracker can be jailed; leave --jail-user out, or take --vmm firecracker")]
    OnlyFirecracker,
    /// A jail was asked for.
    #[error("there is no jailer beside firecracker, nor on the PATH; name it with --jailer")]
    NoJailer,
}

impl Error {
    /// Whether the guest was given up before it ran, because the interrupt came.
    pub const fn is_interrupted(&self) -> bool {
        matches!(self, Self::Vmm(nex_vmm::Error::Interrupted))
    }
}
