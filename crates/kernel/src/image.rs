//! The kernel for ARM: an Image (Documentation/arch/arm64/booting.rst), or an EFI program with a compressed one in it
//! (`include/linux/zboot` of the kernel's EFI stub).

use crate::bytes;
use crate::error::Error;

/// `magic` of an Image.
const MAGIC: &[u8] = b"ARM\x64";
const MAGIC_OFFSET: usize = 56;
/// What an EFI program begins with, and the mark of one that has a kernel in it.
const ZBOOT: [(usize, &[u8]); 2] = [(0, b"MZ"), (4, b"zimg")];
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

/// The compressed Image.
pub fn payload(file: &[u8]) -> Result<&[u8], Error> {
    let offset = bytes::offset(file, ZBOOT_PAYLOAD_OFFSET);
    let length = bytes::offset(file, ZBOOT_PAYLOAD_LENGTH);
    offset
        .zip(length)
        .and_then(|(offset, length)| bytes::slice(file, offset, length))
        .ok_or(Error::Damaged { what: "it ends before the end of its payload" })
}
