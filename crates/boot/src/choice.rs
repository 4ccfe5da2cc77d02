//! Who runs the guest, and why.

use std::path::PathBuf;

use nex_kernel::Form;
use nex_vmm::kvm::{Kvm, Verdict};
use nex_vmm::{Accelerator, Architecture, Qemu, Vmm};

use crate::error::Error;
use crate::guest_kernel::GuestKernel;

/// What the user wants.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Who executes the guest's instructions; `None`: KVM where it works, else emulation.
    pub accelerator: Option<Accelerator>,
    /// Where to remember what has been learned about KVM.
    pub cache: Option<PathBuf>,
}

/// A VMM for a guest.
pub struct Choice {
    /// The VMM.
    pub vmm: Box<dyn Vmm>,
    /// Who executes the guest's instructions.
    pub accelerator: Accelerator,
    /// Why it is this one.
    pub why: String,
    /// KVM has yet to prove that it runs guests here.
    is_trial: bool,
    /// The user insists on KVM.
    is_wished: bool,
    kvm: Kvm,
}

impl Choice {
    /// Chooses for a kernel.
    ///
    /// # Errors
    /// When there is no VMM for it, or KVM is asked for and does not work.
    pub fn make(wish: &Wish, kernel: &GuestKernel) -> Result<Self, Error> {
        takes(kernel)?;
        let kvm = Kvm::new(wish.cache.as_deref());
        let architecture = kernel.architecture;
        let emulation = |why, kvm| {
            let vmm = Box::new(Qemu::find(architecture, Accelerator::Emulation)?);
            let accelerator = Accelerator::Emulation;
            Ok(Self { vmm, accelerator, why, is_trial: false, is_wished: false, kvm })
        };
        if wish.accelerator == Some(Accelerator::Emulation) {
            return emulation("emulation was asked for".into(), kvm);
        }
        let is_wished = wish.accelerator == Some(Accelerator::Kvm);
        let vmm = Box::new(Qemu::find(architecture, Accelerator::Kvm)?);
        let verdict = if Architecture::host() == Some(architecture) {
            kvm.verdict(&vmm.name())
        } else {
            Verdict::Fails(format!("the kernel is for {architecture}, and this machine is not"))
        };
        let accelerator = Accelerator::Kvm;
        match verdict {
            Verdict::Fails(why) if is_wished => Err(Error::NoKvm(why)),
            Verdict::Fails(why) => emulation(format!("no KVM: {why}"), kvm),
            Verdict::Works => Ok(Self { vmm, accelerator, why: "KVM works".into(), is_trial: false, is_wished, kvm }),
            Verdict::Unproven => {
                let why = "KVM runs a few instructions".into();
                Ok(Self { vmm, accelerator, why, is_trial: true, is_wished, kvm })
            }
        }
    }

    /// A guest has come to its first process, so KVM works.
    pub(crate) fn proved(&mut self) {
        if self.is_trial {
            self.kvm.remember(&self.vmm.name(), &Verdict::Works);
            self.is_trial = false;
        }
    }

    /// Whether KVM may still turn out to fail, and may be left then.
    pub(crate) fn may_fall_back(&self) -> bool {
        self.is_trial && !self.is_wished
    }

    /// KVM does not run guests, for this reason: from now on it is emulation.
    pub(crate) fn fall_back(&mut self, why: &str, architecture: Architecture) -> Result<(), Error> {
        self.kvm.remember(&self.vmm.name(), &Verdict::Fails(why.to_owned()));
        self.vmm = Box::new(Qemu::find(architecture, Accelerator::Emulation)?);
        (self.accelerator, self.why, self.is_trial) = (Accelerator::Emulation, format!("no KVM: {why}"), false);
        Ok(())
    }
}

/// Whether QEMU takes the kernel's file.
fn takes(kernel: &GuestKernel) -> Result<(), Error> {
    let refused = |form, remedy| Err(Error::Form { path: kernel.path.clone(), form, remedy });
    match (kernel.form, kernel.architecture) {
        (Form::Vmlinux, Architecture::X86_64) if !kernel.has_pvh_entry => Err(Error::NoEntry(kernel.path.clone())),
        (Form::Vmlinux, Architecture::Aarch64) => refused("a vmlinux for ARM", "take the Image of the same build"),
        (Form::Zboot, _) => refused("an EFI program with the kernel in it", "take the Image of the same build"),
        (Form::Gzip, Architecture::X86_64) => refused("a vmlinux compressed by gzip", "unpack it first: gzip -d"),
        _ => Ok(()),
    }
}
