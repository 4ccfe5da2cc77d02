//! Who runs the guest, and why.

use std::path::PathBuf;

use nex_cancel::Workspace;
use nex_kernel::Form;
use nex_vmm::kvm::{Kvm, Verdict};
use nex_vmm::{Accelerator, Architecture, Bus, Firecracker, Jail, Qemu, Vmm};

use crate::agent_channel::PORT;
use crate::error::Error;
use crate::guest_kernel::GuestKernel;

/// Which VMM runs a guest, and how.
#[derive(Clone, Debug, Default)]
pub struct VmmOptions {
    /// Which VMM.
    pub kind: VmmKind,
    /// How it is jailed. Only Firecracker can be.
    pub jail: Option<JailOptions>,
    /// Who executes the guest's instructions; `None`: KVM where it works, else emulation.
    pub accelerator: Option<Accelerator>,
    /// Where to remember what has been learned about KVM.
    pub cache: Option<PathBuf>,
    /// Where the guest is noted as long as it runs: cleaning this up ends it.
    pub workspace: Workspace,
}

impl VmmOptions {
    /// Whether QEMU may come to run the guest.
    pub(crate) fn may_be_qemu(&self) -> bool {
        self.kind != VmmKind::Firecracker && self.jail.is_none()
    }

    /// Whether the guest may come to have a vsock, which is Firecracker's.
    pub(crate) fn may_have_vsock(&self) -> bool {
        match self.kind {
            VmmKind::Qemu => false,
            VmmKind::Firecracker => true,
            VmmKind::Auto => self.accelerator != Some(Accelerator::Emulation) && Firecracker::find().is_ok(),
        }
    }
}

/// A VMM, or the choice of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VmmKind {
    /// Firecracker where it is there and KVM proves to work, else QEMU. Firecracker for a jail.
    #[default]
    Auto,
    /// QEMU.
    Qemu,
    /// Firecracker.
    Firecracker,
}

/// How Firecracker is jailed.
#[derive(Clone, Debug)]
pub struct JailOptions {
    /// The user that it runs as.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The jailer, if it is not the one that came with Firecracker.
    pub jailer: Option<PathBuf>,
    /// Where jails are made, if not where the jailer would make them.
    pub base: Option<PathBuf>,
    /// Limits of control groups, as `cpu.max=50000 100000`.
    pub cgroups: Vec<String>,
}

/// A VMM for a guest.
pub struct Choice {
    /// The VMM.
    pub vmm: Box<dyn Vmm>,
    /// Who executes the guest's instructions.
    pub accelerator: Accelerator,
    /// Why it is this one.
    pub why: String,
    /// Which kind of VMM it is: no choice is left.
    pub(crate) kind: VmmKind,
    /// KVM has yet to prove that it runs guests here.
    is_trial: bool,
    /// The user insists on KVM, or there is no VMM without it that takes the kernel.
    is_required: bool,
    kvm: Kvm,
}

impl Choice {
    /// Chooses for a kernel.
    ///
    /// # Errors
    /// When there is no VMM for it, or KVM is asked for and does not work.
    pub fn make(options: &VmmOptions, kernel: &GuestKernel) -> Result<Self, Error> {
        let choice = Self::choose(options, kernel)?;
        choice.trace();
        Ok(choice)
    }

    /// Says who it is, to who follows what nex decides.
    fn trace(&self) {
        let (vmm, accelerator, why) = (self.vmm.name(), self.accelerator, &self.why);
        tracing::info!(target: "vmm", "{vmm} runs the guest, by {accelerator}: {why}");
    }

    fn choose(options: &VmmOptions, kernel: &GuestKernel) -> Result<Self, Error> {
        let kvm = Kvm::new(options.cache.as_deref());
        let architecture = kernel.architecture;
        let is_emulated = options.accelerator == Some(Accelerator::Emulation);
        match (options.kind, &options.jail) {
            (VmmKind::Qemu, Some(_)) => return Err(Error::OnlyFirecracker),
            (VmmKind::Firecracker, _) | (VmmKind::Auto, Some(_)) => {
                if is_emulated {
                    return Err(Error::NoEmulation);
                }
                let (vmm, accelerator) = (Box::new(firecracker(options)?), Accelerator::Kvm);
                let why = "it was asked for".into();
                return Ok(Self {
                    vmm,
                    accelerator,
                    why,
                    kind: VmmKind::Firecracker,
                    is_trial: false,
                    is_required: true,
                    kvm,
                });
            }
            (VmmKind::Auto, None) if !is_emulated => {
                if let Some((vmm, verdict)) = usable_firecracker(options, kernel, &kvm) {
                    let is_trial = verdict == Verdict::Unproven;
                    let works = if is_trial { "KVM runs a few instructions" } else { "KVM works" };
                    let is_required = options.accelerator.is_some() || qemu_takes(kernel).is_err();
                    let (vmm, accelerator, why) =
                        (Box::new(vmm), Accelerator::Kvm, format!("it is there, and {works}"));
                    return Ok(Self { vmm, accelerator, why, kind: VmmKind::Firecracker, is_trial, is_required, kvm });
                }
            }
            _ => {}
        }
        qemu_takes(kernel)?;
        let emulation = |why, kvm| {
            let vmm = Box::new(Qemu::find(architecture, Accelerator::Emulation)?);
            let accelerator = Accelerator::Emulation;
            Ok(Self { vmm, accelerator, why, kind: VmmKind::Qemu, is_trial: false, is_required: false, kvm })
        };
        if is_emulated {
            return emulation("emulation was asked for".into(), kvm);
        }
        let is_required = options.accelerator == Some(Accelerator::Kvm);
        let vmm = Box::new(Qemu::find(architecture, Accelerator::Kvm)?);
        let verdict = if Architecture::host() == Some(architecture) {
            kvm.verdict(&vmm.name())
        } else {
            Verdict::Fails(format!("the kernel is for {architecture}, and this machine is not"))
        };
        let accelerator = Accelerator::Kvm;
        match verdict {
            Verdict::Fails(why) if is_required => Err(Error::NoKvm(why)),
            Verdict::Fails(why) => emulation(format!("no KVM: {why}"), kvm),
            Verdict::Works => Ok(Self {
                vmm,
                accelerator,
                why: "KVM works".into(),
                kind: VmmKind::Qemu,
                is_trial: false,
                is_required,
                kvm,
            }),
            Verdict::Unproven => {
                let why = "KVM runs a few instructions".into();
                Ok(Self { vmm, accelerator, why, kind: VmmKind::Qemu, is_trial: true, is_required, kvm })
            }
        }
    }

    /// A VMM whose KVM has yet to prove that it works.
    #[cfg(test)]
    pub(crate) fn on_trial(vmm: Box<dyn Vmm>) -> Self {
        let (accelerator, kvm) = (Accelerator::Kvm, Kvm::new(None));
        Self { vmm, accelerator, why: String::new(), kind: VmmKind::Auto, is_trial: true, is_required: false, kvm }
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
        self.is_trial && !self.is_required
    }

    /// KVM does not run guests, for this reason: from now on it is emulation.
    pub(crate) fn fall_back(&mut self, why: &str, architecture: Architecture) -> Result<(), Error> {
        self.kvm.remember(&self.vmm.name(), &Verdict::Fails(why.to_owned()));
        self.vmm = Box::new(Qemu::find(architecture, Accelerator::Emulation)?);
        self.kind = VmmKind::Qemu;
        (self.accelerator, self.why, self.is_trial) = (Accelerator::Emulation, format!("no KVM: {why}"), false);
        self.trace();
        Ok(())
    }
}

/// Firecracker, in its jail if there is to be one.
fn firecracker(options: &VmmOptions) -> Result<Firecracker, Error> {
    let firecracker = Firecracker::find()?.with_vsock(&[PORT]).in_workspace(&options.workspace);
    let Some(options) = &options.jail else { return Ok(firecracker) };
    let jailer = options.jailer.clone().or_else(|| firecracker.jailer()).ok_or(Error::NoJailer)?;
    let mut jail = Jail::new(jailer, options.uid, options.gid);
    jail.base = options.base.clone().unwrap_or(jail.base);
    jail.cgroups.clone_from(&options.cgroups);
    Ok(firecracker.jailed(jail)?)
}

/// Firecracker, if it is there, could run this kernel, and nothing is known against KVM.
fn usable_firecracker(options: &VmmOptions, kernel: &GuestKernel, kvm: &Kvm) -> Option<(Firecracker, Verdict)> {
    if Architecture::host() != Some(kernel.architecture) || kernel.bus != Bus::Virtio {
        return None;
    }
    let firecracker = Firecracker::find().ok()?.with_vsock(&[PORT]).in_workspace(&options.workspace);
    let verdict = kvm.verdict(&firecracker.name());
    (!matches!(verdict, Verdict::Fails(_))).then_some((firecracker, verdict))
}

/// Whether QEMU takes the kernel's file.
fn qemu_takes(kernel: &GuestKernel) -> Result<(), Error> {
    let refused = |form, remedy| Err(Error::Form { path: kernel.path.clone(), form, remedy });
    match (kernel.form, kernel.architecture) {
        (Form::Vmlinux, Architecture::X86_64) if !kernel.has_pvh_entry => Err(Error::NoEntry(kernel.path.clone())),
        (Form::Vmlinux, Architecture::Aarch64) => refused("a vmlinux for ARM", "take the Image of the same build"),
        (Form::Zboot, _) => refused("an EFI program with the kernel in it", "take the Image of the same build"),
        (Form::Gzip, Architecture::X86_64) => refused("a vmlinux compressed by gzip", "unpack it first: gzip -d"),
        _ => Ok(()),
    }
}
