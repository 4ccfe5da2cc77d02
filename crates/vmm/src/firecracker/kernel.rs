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

/// Hands the machine's kernel over, unpacked if need be, and says under which name.
pub fn hand_over(machine: &Machine, room: &mut impl Room, interrupt: Interrupt<'_>) -> Result<String, Error> {
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
        Cow::Borrowed(_) if matches!(kernel.form(), Form::Vmlinux | Form::Image) => {
            room.to_read("kernel", &Disk::open(&machine.kernel, Access::ReadOnly)?, interrupt)
        }
        unpacked => room.bytes_to_read("kernel", &unpacked),
    }
}
