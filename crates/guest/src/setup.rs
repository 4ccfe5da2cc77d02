//! A guest that is ready to be started.

use nex_contract::Word;
use nex_fault::Setting;
use nex_vmm::{Access, Bus, Drive, Interrupt, Machine, kvm};

use crate::agent_channel;
use crate::agent_words::with_words;
use crate::channel::ChannelWish;
use crate::choice::{Choice, VmmKind, VmmOptions};
use crate::error::Error;
use crate::guest_kernel::{GuestKernel, KernelOptions};
use crate::overlay::Overlay;
use crate::root_fs::Root;
use crate::session::Session;
use crate::verity::{self, ReadyVerity, Verity};

/// What a guest is made of, beside its root filesystem.
#[derive(Clone, Debug)]
pub struct MachineOptions {
    /// The kernel and what goes with it.
    pub kernel: KernelOptions,
    /// What its drives are attached to.
    pub bus: Bus,
    /// Its memory, in MiB.
    pub memory_mib: u32,
    /// How many processors it has.
    pub vcpus: u8,
    /// More words for the kernel's command line; they win over ours.
    pub append: String,
    /// Where changes go of a root that is only read. `None`: the guest writes to a view of the root of its own, which is gone
    /// with the guest.
    pub overlay: Option<Overlay>,
    /// By what the guest's kernel checks its root, which is only read then.
    pub verity: Option<Verity>,
    /// Whether it has a channel to the host.
    pub channel: ChannelWish,
}

/// A guest that is ready to be started.
#[derive(Debug)]
pub struct Setup {
    /// The kernel.
    pub kernel: GuestKernel,
    /// What the guest is made of, but for the user's own words.
    pub machine: Machine,
    append: String,
    has_overlay: bool,
    /// What the root is checked by.
    pub verity: Option<ReadyVerity>,
}

/// The init that the kernel looks for first.
const INIT: &str = "/sbin/init";

/// `COMMAND_LINE_SIZE` of x86 and arm64, with the zero at its end. A kernel cuts a longer one off, or says nothing at all.
const COMMAND_LINE_SIZE: usize = 2048;

impl Setup {
    /// Makes sure of everything that a guest with this root is made of, whichever VMM runs it.
    ///
    /// # Errors
    /// When something is missing.
    pub fn new(root: &Root, options: &MachineOptions, vmm: &VmmOptions) -> Result<Self, Error> {
        let checked = options.verity.as_ref().map(|verity| verity.prepare(root)).transpose()?;
        let (required, optional) = modules(options, vmm);
        let kernel = GuestKernel::prepare(&options.kernel, options.bus, &required, &optional)?;
        let (access, mode) = match (&options.overlay, &checked) {
            (None, None) => (Access::CopyOnWrite, "rw"),
            _ => (Access::ReadOnly, "ro"),
        };
        let mut machine = Machine {
            architecture: kernel.architecture,
            kernel: kernel.path.clone(),
            max_kernel: kernel.max,
            initramfs: kernel.initramfs(),
            command_line: format!("root={} {mode}", options.bus.device(0)),
            drives: vec![Drive { disk: root.disk().clone(), access, bus: options.bus }],
            memory_mib: options.memory_mib,
            vcpus: options.vcpus,
            channel: options.channel.channel(),
        };
        if let Some(verity) = &checked {
            verity.add_to(&mut machine);
        }
        let overlay = options.overlay.as_ref().map(Overlay::prepare).transpose()?;
        if let Some(overlay) = &overlay {
            overlay.add_to(&mut machine);
        }
        Ok(Self { kernel, machine, append: options.append.clone(), has_overlay: overlay.is_some(), verity: checked })
    }

    /// Has the root's own init go on where the agent lays an overlay over the root: as the first process it would stay otherwise.
    pub fn keep_init(&mut self) {
        if self.has_overlay {
            self.machine.add_words(&Word::Init(INIT.into()).to_string());
        }
    }

    /// Starts it. The user's words stand last on the kernel's command line, and so win.
    ///
    /// # Errors
    /// When nobody can run it, or the interrupt comes before it runs ([`Error::is_interrupted`]).
    pub fn start(&self, vmm: &VmmOptions, interrupt: Interrupt<'_>) -> Result<Session, Error> {
        let choice = Choice::make(vmm, &self.kernel)?;
        let machine = self.whole_machine();
        check_length(&choice.vmm.command_line(&with_words(&*choice.vmm, &machine)))?;
        let is_firecracker = choice.kind == VmmKind::Firecracker && vmm.jail.is_none();
        let mut session = Session::start(choice, machine, interrupt).map_err(|error| match error {
            // It says so in many words, and not what to do.
            Error::Vmm(nex_vmm::Error::Refused { .. }) if is_firecracker => {
                kvm::closed().map_or(error, Error::KvmClosed)
            }
            error => error,
        })?;
        let warnings = self.kernel.warnings.iter().map(|warning| warning.words(Setting::flag));
        warnings.for_each(|warning| session.guest().note(warning));
        Ok(session)
    }

    /// What it is started with, with the user's words last on the kernel's command line, but for what only the VMM knows.
    pub(crate) fn whole_machine(&self) -> Machine {
        let mut machine = self.machine.clone();
        machine.add_words(&self.append);
        machine
    }
}

/// Refuses a command line that no kernel would take.
pub(crate) fn check_length(command_line: &str) -> Result<(), Error> {
    match command_line.len() {
        bytes if bytes >= COMMAND_LINE_SIZE => Err(Error::CommandLine { bytes, most: COMMAND_LINE_SIZE - 1 }),
        _ => Ok(()),
    }
}

/// The modules that a guest needs beside those for its drives, and those that it only gets if they are there.
fn modules(options: &MachineOptions, vmm: &VmmOptions) -> (Vec<&'static str>, Vec<&'static str>) {
    let overlay = options.overlay.as_ref().map(|_| "overlay");
    let verity = options.verity.as_ref().map(|_| (verity::MODULE, verity::HASH_MODULE));
    let vsock = vmm.may_have_vsock().then_some(agent_channel::MODULE);
    let (channel, channel_too) = options.channel.modules(vmm);
    let required = overlay.into_iter().chain(verity.map(|(module, _)| module)).chain(channel).collect();
    (required, vsock.into_iter().chain(verity.map(|(_, hash)| hash)).chain(channel_too).collect())
}
