//! The plain image of arm64 and riscv, which a boot loader copies to memory as it is, and the EFI program that holds one
//! compressed.
//!
//! The first is described in `Documentation/arch/arm64/booting.rst`, the second in `drivers/firmware/efi/libstub/zboot-header.S`.

use nex_program::Machine;

/// Where both architectures have their magic number.
const MAGIC: usize = 0x38;

/// The magic numbers, and what they stand for.
const MACHINES: [(&[u8], &str); 2] = [(b"ARM\x64", "arm64"), (b"RSC\x05", "riscv64")];

/// What a plain image is for; `None` when it is none.
pub(super) fn machine(bytes: &[u8]) -> Option<Machine> {
    let magic = bytes.get(MAGIC..)?;
    let (_, architecture) = MACHINES.iter().find(|(known, _)| magic.starts_with(known))?;
    Machine::for_architecture(architecture)
}

/// The compressed image in an EFI program, and what the program is for.
pub(super) fn zboot(bytes: &[u8]) -> Option<(&[u8], Option<Machine>)> {
    const HEADER: usize = 8;
    let header = bytes.strip_prefix(b"MZ")?.get(2..)?.strip_prefix(b"zimg")?;
    let field = |at: usize| header.get(at..)?.first_chunk().map(|field| u32::from_le_bytes(*field));
    let (offset, length) = (usize::try_from(field(0)?).ok()?, usize::try_from(field(4)?).ok()?);
    let payload = bytes.get(HEADER.max(offset)..offset.checked_add(length)?)?;
    Some((payload, efi_machine(bytes)))
}

/// The machine of the PE header, which an EFI program has.
fn efi_machine(bytes: &[u8]) -> Option<Machine> {
    const PE_OFFSET: usize = 0x3C;
    let at = usize::try_from(u32::from_le_bytes(*bytes.get(PE_OFFSET..)?.first_chunk()?)).ok()?;
    let number = bytes.get(at..)?.strip_prefix(b"PE\0\0")?.first_chunk().map(|number| u16::from_le_bytes(*number))?;
    Machine::for_architecture(match number {
        0xAA64 => "arm64",
        0x5064 => "riscv64",
        0x8664 => "amd64",
        0x6264 => "loong64",
        _ => return None,
    })
}
