//! The header of a bzImage, as `Documentation/arch/x86/boot.rst` has it.

use nex_program::Machine;

const SECTOR: usize = 512;

/// Where the fields stand: the protocol fixes them.
const SETUP_SECTORS: usize = 0x1F1;
const SIGNATURE: usize = 0x202;
const PROTOCOL: usize = 0x206;
const KERNEL_VERSION: usize = 0x20E;
const LOAD_FLAGS: usize = 0x236;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24C;

/// `XLF_KERNEL_64`: the kernel can be entered in 64-bit mode.
const KERNEL_64: u16 = 1;

/// The first protocol that tells where the payload is, and the first that tells the word size.
const WITH_PAYLOAD: u16 = 0x0208;
const WITH_LOAD_FLAGS: u16 = 0x020C;

/// The fields that matter here.
pub(super) struct Header {
    setup: usize,
    protocol: u16,
    version: u16,
    flags: u16,
    payload: (u32, u32),
}

impl Header {
    /// The header, when the file begins with one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.get(SIGNATURE..)?.get(..4)? != b"HdrS" {
            return None;
        }
        // Four stand for none, from the time before there was a field.
        let sectors = match *bytes.get(SETUP_SECTORS)? {
            0 => 4,
            sectors => usize::from(sectors),
        };
        Some(Self {
            setup: (sectors + 1) * SECTOR,
            protocol: u16_at(bytes, PROTOCOL)?,
            version: u16_at(bytes, KERNEL_VERSION)?,
            flags: u16_at(bytes, LOAD_FLAGS)?,
            payload: (u32_at(bytes, PAYLOAD_OFFSET)?, u32_at(bytes, PAYLOAD_LENGTH)?),
        })
    }

    pub(super) fn machine(&self) -> Option<Machine> {
        if self.protocol < WITH_LOAD_FLAGS {
            return None;
        }
        Machine::for_architecture(if self.flags & KERNEL_64 != 0 { "amd64" } else { "386" })
    }

    /// The first word of the version's text, which stands a sector behind where the field says.
    pub(super) fn version(&self, bytes: &[u8]) -> Option<String> {
        if self.version == 0 {
            return None;
        }
        let text = bytes.get(usize::from(self.version) + SECTOR..self.setup)?;
        let end = text.iter().position(|byte| !byte.is_ascii_graphic())?;
        let version = text.get(..end).filter(|version| !version.is_empty())?;
        Some(String::from_utf8_lossy(version).into_owned())
    }

    /// The compressed kernel.
    pub(super) fn payload<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if self.protocol < WITH_PAYLOAD {
            return None;
        }
        let (offset, length) = (usize::try_from(self.payload.0).ok()?, usize::try_from(self.payload.1).ok()?);
        let start = self.setup.checked_add(offset)?;
        bytes.get(start..start.checked_add(length)?)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|field| u16::from_le_bytes(*field))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|field| u32::from_le_bytes(*field))
}
