//! A bzImage: the kernel for x86 behind its setup code and its decompressor (Documentation/arch/x86/boot.rst).

use crate::bytes;
use crate::error::Error;

/// `setup_sects`: how many sectors of setup code there are, beside the boot sector.
const SETUP_SECTS: usize = 0x1f1;
/// What it means when it is 0, for the sake of kernels of the last century.
const DEFAULT_SETUP_SECTS: usize = 4;
/// `header`: the magic number.
const HEADER: usize = 0x202;
const MAGIC: &[u8] = b"HdrS";
/// `version` of the boot protocol.
const VERSION: usize = 0x206;
/// The first one that says where the payload is.
const WITH_PAYLOAD: u16 = 0x0208;
/// `kernel_version`: where the release and the builder stand, less [`SECTOR`].
const KERNEL_VERSION: usize = 0x20e;
/// `xloadflags`.
const XLOADFLAGS: usize = 0x236;
/// `XLF_KERNEL_64`: the kernel runs in 64-bit mode.
const KERNEL_64: u16 = 1;
/// `payload_offset`, from the first byte behind the setup code.
const PAYLOAD_OFFSET: usize = 0x248;
/// `payload_length`.
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR: usize = 512;

/// Whether a file begins as a bzImage does.
pub fn is_bzimage(file: &[u8]) -> bool {
    bytes::slice(file, HEADER, MAGIC.len()) == Some(MAGIC)
}

/// Whether its kernel is one of 64 bits.
pub fn has_64_bits(file: &[u8]) -> bool {
    bytes::u16(file, XLOADFLAGS).is_some_and(|flags| flags & KERNEL_64 != 0)
}

/// The text about its kernel, and what follows: the release, who built it, and when.
pub fn banner(file: &[u8]) -> Option<&[u8]> {
    let offset = bytes::u16(file, KERNEL_VERSION).filter(|offset| *offset != 0)?;
    file.get(usize::from(offset) + SECTOR..)
}

/// The compressed kernel.
pub fn payload(file: &[u8]) -> Result<&[u8], Error> {
    if bytes::u16(file, VERSION).is_none_or(|version| version < WITH_PAYLOAD) {
        return Err(Error::Damaged { what: "its boot protocol is of before 2008" });
    }
    let find = || {
        let sectors = match usize::from(bytes::u8(file, SETUP_SECTS)?) {
            0 => DEFAULT_SETUP_SECTS,
            sectors => sectors,
        };
        let offset = ((sectors + 1) * SECTOR).checked_add(bytes::offset(file, PAYLOAD_OFFSET)?)?;
        bytes::slice(file, offset, bytes::offset(file, PAYLOAD_LENGTH)?)
    };
    find().ok_or(Error::Damaged { what: "it ends before the end of its payload" })
}
