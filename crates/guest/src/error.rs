//! Why there is no guest, in the user's terms.

use std::io;
use std::path::PathBuf;

use nex_fault::{Code, Fault, Note, Remedy, Setting};
use nex_kernel::ModulesError;
use thiserror::Error;

use crate::codes;
use crate::drive::DriveError;
use crate::root_fs::RootError;
use crate::verity::VerityError;

/// Why a guest cannot be started, or followed. What happens in the guest is no error.
#[derive(Debug, Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read '{}'", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// The root filesystem is none.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The kernel's file cannot be read.
    #[error(transparent)]
    Kernel(nex_kernel::Error),
    /// The kernel's file is something else.
    #[error("cannot boot the kernel '{}'", .path.display())]
    NoKernel {
        /// The file.
        path: PathBuf,
        /// What it is.
        #[source]
        cause: nex_kernel::Error,
    },
    /// The kernel's file is not whole.
    #[error("cannot boot the kernel '{}'", .path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
        /// What is missing.
        #[source]
        cause: nex_kernel::Error,
    },
    /// The kernel would not take all of its command line.
    #[error("the kernel's command line would have {bytes} bytes, and kernels take {most}")]
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
        "this kernel's drivers are modules, so it needs an initramfs with nex-agent as its init, and {}",
        .0.as_ref().map_or("nex finds none of its own", Note::fact)
    )]
    NoAgent(Option<Note>),
    /// The agent does not run on this kernel.
    #[error("the agent '{}' for the initramfs is {found}, and the kernel is for {wanted}", .path.display())]
    OtherAgent {
        /// The agent.
        path: PathBuf,
        /// What it is.
        found: String,
        /// The kernel's processor.
        wanted: &'static str,
    },
    /// The agent for the initramfs is somebody else's.
    #[error("the agent '{}' for the initramfs {why}", .path.display())]
    ForeignAgent {
        /// The agent.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// QEMU does not find the kernel's entry.
    #[error("QEMU cannot boot the vmlinux '{}': it has no PVH entry (CONFIG_PVH=y)", .0.display())]
    NoEntry(PathBuf),
    /// The file's form is one that no VMM here takes.
    #[error("no VMM here boots '{}', which is {form}", .path.display())]
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
    #[error("there is no memory for the initramfs")]
    Memory(#[source] io::Error),
    /// The VMM does not run the guest.
    #[error(transparent)]
    Vmm(#[from] nex_vmm::Error),
    /// The console cannot be read.
    #[error("cannot read the guest's console")]
    Follow(#[source] io::Error),
    /// The VMM has stopped the guest, which would stand still until there is room.
    #[error("no space is left for what the guest writes to '{}', so the guest was ended", .0.display())]
    NoRoom(PathBuf),
    /// KVM was asked for, and it does not work.
    #[error("KVM does not work here: {0}")]
    NoKvm(String),
    /// Firecracker was asked for, and it may not use KVM.
    #[error("Firecracker cannot run the guest: {}", .0.why)]
    KvmClosed(nex_vmm::kvm::Closed),
    /// Firecracker has no emulation.
    #[error("Firecracker needs KVM, and cannot emulate a guest")]
    NoEmulation,
    /// A jail was asked for, and it is not Firecracker's.
    #[error("only Firecracker can be jailed")]
    OnlyFirecracker,
    /// A jail was asked for.
    #[error("there is no jailer beside firecracker, nor on the PATH")]
    NoJailer,
}

impl Error {
    /// Whether the guest was given up before it ran, because the interrupt came.
    pub const fn is_interrupted(&self) -> bool {
        matches!(self, Self::Vmm(nex_vmm::Error::Interrupted))
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Read { .. } => codes::UNREADABLE,
            Self::Root(error) => error.code(),
            Self::Kernel(cause) | Self::NoKernel { cause, .. } | Self::CutOff { cause, .. } => cause.code(),
            Self::CommandLine { .. } => codes::COMMAND_LINE,
            Self::Modules(error) => error.code(),
            Self::NoAgent(_) => codes::NO_AGENT,
            Self::OtherAgent { .. } | Self::ForeignAgent { .. } => codes::OTHER_AGENT,
            Self::NoEntry(_) | Self::Form { .. } => codes::KERNEL_FORM,
            Self::Verity(error) => error.code(),
            Self::Drive(error) => error.code(),
            Self::Memory(_) => codes::NO_MEMORY,
            Self::Vmm(error) => error.code(),
            Self::Follow(_) => codes::NOT_FOLLOWED,
            Self::NoRoom(_) => codes::NO_ROOM,
            Self::NoKvm(_) | Self::KvmClosed(_) => codes::NO_KVM,
            Self::NoEmulation | Self::OnlyFirecracker => codes::OTHER_VMM,
            Self::NoJailer => nex_vmm::codes::MISSING,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Root(error) => return error.remedy(),
            Self::Kernel(cause) | Self::NoKernel { cause, .. } => return cause.remedy(),
            Self::Modules(error) => return error.remedy(),
            Self::Verity(error) => return error.remedy(),
            Self::Drive(error) => return error.remedy(),
            Self::Vmm(error) => return error.remedy(),
            Self::CutOff { .. } => Remedy::say("copy or download it again"),
            Self::CommandLine { .. } => Remedy::say("shorten what").lower(Setting::Append).and("gives"),
            Self::NoAgent(Some(refused)) => return refused.remedy().cloned(),
            Self::NoAgent(None) => Remedy::say("name one with")
                .choose(Setting::Agent)
                .and(", or bring an initramfs with")
                .choose(Setting::Initrd),
            Self::OtherAgent { .. } => Remedy::say("name a nex-agent for it with").choose(Setting::Agent),
            Self::ForeignAgent { .. } => Remedy::say("name a nex-agent with")
                .choose(Setting::Agent)
                .and(", or bring an initramfs of your own with")
                .choose(Setting::Initrd),
            Self::NoEntry(_) => Remedy::say("take the bzImage of the same build"),
            Self::Form { remedy, .. } => Remedy::say(*remedy),
            Self::NoRoom(place) if place.is_dir() => Remedy::say("free some, or choose another directory with TMPDIR"),
            Self::NoRoom(_) => Remedy::say("free some"),
            Self::NoKvm(_) => Remedy::say("without").omit(Setting::Accel).and("kvm the guest is emulated"),
            Self::KvmClosed(closed) => {
                let join = "join that group ('usermod -aG GROUP USER' as root, then log in again), or";
                let start = if closed.is_denied { join } else { "" };
                Remedy::say(start).and("have the guest emulated with").set(Setting::Vmm, "qemu")
            }
            Self::NoEmulation => Remedy::say("for an emulated one there is").set(Setting::Vmm, "qemu"),
            Self::OnlyFirecracker => {
                Remedy::say("leave").omit(Setting::JailUser).and("out, or take").set(Setting::Vmm, "firecracker")
            }
            Self::NoJailer => Remedy::say("name it with").choose(Setting::Jailer),
            Self::Read { .. } | Self::Memory(_) | Self::Follow(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use nex_fault::advised;
    use nex_vmm::kvm::Closed;

    use super::*;

    #[test]
    fn errors_say_what_is_wrong_and_programs_learn_what_to_do() {
        let damaged = nex_kernel::Error::Damaged { what: "it ends before the end of its segments" };
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let (cut_off, temporary) = (
            Error::CutOff { path: "vmlinux".into(), cause: damaged },
            Error::Drive(DriveError::Temporary { directory: "/tmp".into(), cause: full }),
        );
        let cases = [
            (
                cut_off,
                "cannot boot the kernel 'vmlinux': the kernel's file is damaged: it ends before the end of its segments; copy or download it again",
                nex_kernel::codes::DAMAGED,
            ),
            (
                temporary,
                "cannot make a temporary file in '/tmp': no storage space; choose another directory with TMPDIR",
                codes::NO_PLACE,
            ),
            (
                Error::NoAgent(None),
                "this kernel's drivers are modules, so it needs an initramfs with nex-agent as its init, and nex finds none of its own; \
                 name one with --agent, or bring an initramfs with --initrd",
                codes::NO_AGENT,
            ),
            (
                Error::NoKvm("no /dev/kvm".into()),
                "KVM does not work here: no /dev/kvm; without --accel kvm the guest is emulated",
                codes::NO_KVM,
            ),
            (
                Error::KvmClosed(Closed { why: "/dev/kvm is not yours to use".into(), is_denied: true }),
                "Firecracker cannot run the guest: /dev/kvm is not yours to use; join that group ('usermod -aG GROUP USER' as root, then \
                 log in again), or have the guest emulated with --vmm qemu",
                codes::NO_KVM,
            ),
            (
                Error::KvmClosed(Closed { why: "there is no /dev/kvm".into(), is_denied: false }),
                "Firecracker cannot run the guest: there is no /dev/kvm; have the guest emulated with --vmm qemu",
                codes::NO_KVM,
            ),
            (
                Error::NoAgent(Some(Note::new("'/tmp/nex-agent' is not taken").advising("name it"))),
                "this kernel's drivers are modules, so it needs an initramfs with nex-agent as its init, and '/tmp/nex-agent' is not \
                 taken; name it",
                codes::NO_AGENT,
            ),
            (
                VerityError::NoTree { path: "root.ext4".into(), why: nex_verity::NotATree::Signature }.into(),
                "cannot use 'root.ext4' for dm-verity: there is no hash tree of dm-verity; name the root filesystem that nex rootfs \
                 --verity has made, or the file of --verity-file",
                nex_verity::codes::NO_TREE,
            ),
        ];
        for (error, line, code) in cases {
            let said = advised(&error, Setting::flag);
            assert_eq!((said.as_str(), error.code()), (line, code));
        }
    }
}
