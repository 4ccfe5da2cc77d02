//! The kernel for ARM: an Image (Documentation/arch/arm64/booting.rst), or an EFI program with a compressed one in it
//! (`include/linux/zboot` of the kernel's EFI stub).

use crate::bytes;
use crate::error::Error;

/// `magic` of an Image.
const MAGIC: &[u8] = b"ARM\x64";
const MAGIC_OFFSET: usize = 56;
/// What an EFI program begins with, and the mark of one that has a kernel in it.
const ZBOOT: [(usize, &[u8]); 2] = [(0, b"MZ"), (4, b"zimg")];
/// Where an EFI program tells the place of its own header, and what that begins with before the processor's number.
const PE_OFFSET: usize = 0x3c;
const PE: &[u8] = b"PE\0\0";
const PE_AARCH64: u16 = 0xaa64;
const ZBOOT_PAYLOAD_OFFSET: usize = 8;
const ZBOOT_PAYLOAD_LENGTH: usize = 12;

/// Whether a file begins as an Image does.
pub fn is_image(file: &[u8]) -> bool {
    bytes::slice(file, MAGIC_OFFSET, MAGIC.len()) == Some(MAGIC)
}

/// Whether a file is an EFI program with a compressed Image in it.
pub fn is_zboot(file: &[u8]) -> bool {
    ZBOOT.iter().all(|(offset, magic)| bytes::slice(file, *offset, magic.len()) == Some(magic))
}

/// Whether an EFI program says that it is for another processor: RISC-V and LoongArch pack their kernels so too.
pub fn is_for_another(file: &[u8]) -> bool {
    let header = bytes::offset(file, PE_OFFSET).filter(|header| bytes::slice(file, *header, PE.len()) == Some(PE));
    let machine = header.and_then(|header| bytes::u16(file, header.checked_add(PE.len())?));
    machine.is_some_and(|machine| machine != PE_AARCH64)
}

/// The compressed Image.
pub fn payload(file: &[u8]) -> Result<&[u8], Error> {
    let offset = bytes::offset(file, ZBOOT_PAYLOAD_OFFSET);
    let length = bytes::offset(file, ZBOOT_PAYLOAD_LENGTH);
    offset
        .zip(length)
        .and_then(|(offset, length)| bytes::slice(file, offset, length))
        .ok_or(Error::Damaged { what: "it ends before the end of its payload" })
}
