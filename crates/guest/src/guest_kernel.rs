//! The guest's kernel, and the initramfs for one that has the drivers of the guest's drives in modules.

use std::io;
use std::path::PathBuf;

use nex_fault::Note;
use nex_file::to_read::ToRead;
use nex_kernel::{Architecture, Form, Kernel, Modules, Search, initramfs};
use nex_program::{Elf, Processor, Speech};
use nex_vmm::Bus;

use crate::error::Error;
use crate::memory_file::MemoryFile;
use crate::missing_drivers::{self, Place, Subject};

/// The largest agent, in bytes: all of it is read into memory.
const MOST_AGENT: u64 = 256 << 20;

/// The kernel, and what goes with it.
#[derive(Clone, Debug)]
pub struct KernelOptions {
    /// The kernel's file.
    pub kernel: PathBuf,
    /// Bytes that its file and each of its modules may have, and that they may unpack to.
    pub max_kernel: u64,
    /// The user's own initramfs: none is made then.
    pub initrd: Option<PathBuf>,
    /// The kernel's modules. Without it they are looked for beside the kernel and in `/lib/modules`.
    pub modules: Option<PathBuf>,
    /// The agent that loads modules as the initramfs' init.
    pub agent: Option<ToRead>,
    /// Why there is none, where one was found and not taken.
    pub refused_agent: Option<Note>,
}

/// A kernel that is ready for a guest.
#[derive(Debug)]
pub struct GuestKernel {
    /// Its file.
    pub path: PathBuf,
    /// Bytes that it may have, and that it may unpack to.
    pub max: u64,
    /// What kind of file that is.
    pub form: Form,
    /// The processor that it is for.
    pub architecture: Architecture,
    /// Its release, as `uname -r` prints it.
    pub release: Option<String>,
    /// What its drives are attached to.
    pub bus: Bus,
    /// Whether QEMU finds its entry, if it is a vmlinux.
    pub has_pvh_entry: bool,
    /// The modules that the initramfs loads, in this order.
    pub modules: Vec<String>,
    /// What keeps a guest from its root, as far as that is known before it starts.
    pub warnings: Vec<Note>,
    initramfs: Initramfs,
}

#[derive(Debug)]
enum Initramfs {
    None,
    Given(PathBuf),
    Made(MemoryFile),
}

impl GuestKernel {
    /// Looks at the kernel, and makes an initramfs where its drivers for this bus, the root's ext4 or one of `required` are modules.
    /// Those of `optional` go with it where they are modules and there.
    ///
    /// Where no modules are found, everything is taken to be built in; what surely is not is among the [warnings](Self::warnings).
    ///
    /// # Errors
    /// When there is no kernel in the file, its modules do not fit, or an initramfs is needed and there is no agent for it.
    pub fn prepare(options: &KernelOptions, bus: Bus, required: &[&str], optional: &[&str]) -> Result<Self, Error> {
        let path = &options.kernel;
        let kernel = Kernel::read(path, options.max_kernel).map_err(|cause| match cause {
            cause @ (nex_kernel::Error::Read { .. } | nex_kernel::Error::TooLarge { .. }) => Error::Kernel(cause),
            cause => Error::NoKernel { path: path.clone(), cause },
        })?;
        kernel.check_length().map_err(|cause| Error::CutOff { path: path.clone(), cause })?;
        let release = match kernel.release() {
            Err(cause @ nex_kernel::Error::UnpacksTooLarge { .. }) => {
                return Err(Error::NoKernel { path: path.clone(), cause });
            }
            // What we cannot unpack, a VMM may.
            release => release.ok().flatten(),
        };
        let mut ready = Self {
            path: path.clone(),
            max: options.max_kernel,
            form: kernel.form(),
            architecture: kernel.architecture(),
            bus,
            has_pvh_entry: kernel.has_pvh_entry(),
            release,
            modules: Vec::new(),
            warnings: Vec::new(),
            initramfs: Initramfs::None,
        };
        if let Some(initrd) = &options.initrd {
            nex_file::open_regular(initrd).map_err(|cause| Error::Read { path: initrd.clone(), cause })?;
            ready.initramfs = Initramfs::Given(initrd.clone());
            return Ok(ready);
        }
        let Search { modules: found, passed_over } = match (&options.modules, &ready.release) {
            (Some(directory), release) => {
                let modules = Modules::open(directory, release.as_deref(), options.max_kernel)?;
                Search { modules: Some(modules), passed_over: Vec::new() }
            }
            (None, Some(release)) => Modules::search(path, release, options.max_kernel)?,
            (None, None) => Search::default(),
        };
        let drivers: &[&str] = match bus {
            Bus::Virtio => &["virtio_pci", "virtio_mmio", "virtio_blk"],
            Bus::Nvme => &["nvme"],
        };
        let needed = [drivers, &["ext4"], required].concat();
        let place = found.as_ref().map_or(Place::Nowhere(&passed_over), Place::Modules);
        let subject = Subject { kernel: &kernel, path, release: ready.release.as_deref() };
        ready.warnings.extend(missing_drivers::warning(&subject, &needed, &place));
        let Some(found) = found else { return Ok(ready) };
        let optional = optional.iter().copied().filter(|name| found.has(name));
        let modules = found.in_order(&needed.into_iter().chain(optional).collect::<Vec<_>>())?;
        if modules.is_empty() {
            return Ok(ready);
        }
        let init = agent(options, ready.architecture)?;
        let archive = initramfs::archive(&init, &modules);
        ready.modules = modules.into_iter().map(|module| module.name).collect();
        ready.initramfs = Initramfs::Made(MemoryFile::new(&archive).map_err(Error::Memory)?);
        Ok(ready)
    }

    /// The initramfs' file. It is there as long as this is.
    pub fn initramfs(&self) -> Option<PathBuf> {
        match &self.initramfs {
            Initramfs::None => None,
            Initramfs::Given(path) => Some(path.clone()),
            Initramfs::Made(file) => Some(file.path()),
        }
    }

    /// The length of an initramfs that was made, in bytes.
    pub fn made_initramfs(&self) -> Option<u64> {
        match &self.initramfs {
            Initramfs::Made(file) => Some(file.length()),
            Initramfs::None | Initramfs::Given(_) => None,
        }
    }
}

/// The agent's bytes, once it is known to run on the kernel.
fn agent(options: &KernelOptions, architecture: Architecture) -> Result<Vec<u8>, Error> {
    let agent = options.agent.as_ref().ok_or_else(|| Error::NoAgent(options.refused_agent.clone()))?;
    let path = agent.path();
    let cannot_read = |cause| Error::Read { path: path.into(), cause };
    let agent = agent.open().and_then(|file| nex_file::read_file_within(file, MOST_AGENT)).map_err(cannot_read)?;
    let agent = agent.ok_or_else(|| cannot_read(io::Error::other("it has more than 256 MiB, which no agent has")))?;
    let wanted = match architecture {
        Architecture::X86_64 => "amd64",
        Architecture::Aarch64 => "arm64",
    };
    match Elf::processor(&agent) {
        Some(processor) if Processor::for_architecture(wanted) == Some(processor) => {
            match Speech::of_file(&agent).unfit() {
                None => Ok(agent),
                Some(why) => Err(Error::ForeignAgent { path: path.into(), why }),
            }
        }
        found => {
            let found = found.map_or_else(|| "no program".to_owned(), |processor| format!("for {processor}"));
            Err(Error::OtherAgent { path: path.into(), found, wanted })
        }
    }
}
