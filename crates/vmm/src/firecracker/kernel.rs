//! Firecracker loads a kernel that does not unpack itself: a vmlinux for x86, an Image for ARM.

use std::borrow::Cow;

use nex_fault::Remedy;
use nex_kernel::{Architecture, Form, Kernel};

use super::room::Room;
use crate::access::Access;
use crate::disk::Disk;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::machine::Machine;

/// A kernel as Firecracker loads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadableKernel {
    /// The machine's own file.
    AsItIs,
    /// What the machine's file unpacks to.
    Unpacked(Vec<u8>),
}

impl LoadableKernel {
    /// The kernel of this machine.
    ///
    /// # Errors
    /// When it cannot be read or unpacked, or is no kernel that Firecracker loads on the machine's kind of processor.
    pub fn of(machine: &Machine) -> Result<Self, Error> {
        let trouble = |cause| Error::Kernel { path: machine.kernel.clone(), cause };
        let kernel = Kernel::read(&machine.kernel, machine.max_kernel).map_err(trouble)?;
        if kernel.architecture() != machine.architecture {
            return Err(trouble(nex_kernel::Error::not_a_kernel("a kernel for another kind of processor")));
        }
        let unpacked = kernel.unpacked().map_err(trouble)?;
        if machine.architecture == Architecture::Aarch64 && unpacked.starts_with(b"\x7fELF") {
            let found = "a vmlinux, of which Firecracker loads none for ARM".into();
            let remedy = Some(Remedy::say("take arch/arm64/boot/Image"));
            return Err(trouble(nex_kernel::Error::NotAKernel { found, remedy }));
        }
        match unpacked {
            Cow::Borrowed(_) if matches!(kernel.form(), Form::Vmlinux | Form::Image) => Ok(Self::AsItIs),
            unpacked => Ok(Self::Unpacked(unpacked.into_owned())),
        }
    }

    /// What its file is called, as by the kernel's own build.
    pub const fn file_name(&self, architecture: Architecture) -> &'static str {
        match architecture {
            Architecture::X86_64 => "vmlinux",
            Architecture::Aarch64 => "Image",
        }
    }

    /// Its bytes, whichever file they are in.
    ///
    /// # Errors
    /// When the machine's file cannot be read.
    pub fn into_bytes(self, machine: &Machine) -> Result<Vec<u8>, Error> {
        match self {
            Self::Unpacked(bytes) => Ok(bytes),
            Self::AsItIs => {
                let read = nex_file::read_regular_within(&machine.kernel, machine.max_kernel);
                let trouble = |cause| Error::Open { path: machine.kernel.clone(), cause };
                let too_large = || trouble(std::io::Error::from(std::io::ErrorKind::FileTooLarge));
                read.map_err(trouble)?.ok_or_else(too_large)
            }
        }
    }
}

/// Hands the machine's kernel over, unpacked if need be, and says under which name.
pub fn hand_over(machine: &Machine, room: &mut impl Room, interrupt: Interrupt<'_>) -> Result<String, Error> {
    match LoadableKernel::of(machine)? {
        LoadableKernel::AsItIs => room.to_read("kernel", &Disk::open(&machine.kernel, Access::ReadOnly)?, interrupt),
        LoadableKernel::Unpacked(bytes) => room.bytes_to_read("kernel", &bytes),
    }
}
