//! One description of a structure serves to write it and to read it.
//!
//! A structure lists its fields once, in the order of the disk, to a cursor. [`Put`] copies each to the disk's bytes, and
//! [`Get`] fills each from them; a field's place follows from those before it and is named nowhere else.

use crate::get::Get;
use crate::put::{Put, high16, high32, low16, low32};

/// A cursor over the fields of one structure. ext4 is little-endian, its journal big-endian.
pub(crate) trait Fields {
    /// Bytes as they are.
    fn bytes(&mut self, field: &mut [u8]) -> &mut Self;

    /// One byte.
    fn u8(&mut self, field: &mut u8) -> &mut Self {
        self.bytes(std::slice::from_mut(field))
    }

    /// A 16-bit word (`__le16`).
    fn u16(&mut self, field: &mut u16) -> &mut Self {
        let mut bytes = field.to_le_bytes();
        self.bytes(&mut bytes);
        *field = u16::from_le_bytes(bytes);
        self
    }

    /// A 32-bit word (`__le32`).
    fn u32(&mut self, field: &mut u32) -> &mut Self {
        let mut bytes = field.to_le_bytes();
        self.bytes(&mut bytes);
        *field = u32::from_le_bytes(bytes);
        self
    }

    /// A 32-bit word of the journal (`__be32`).
    fn be32(&mut self, field: &mut u32) -> &mut Self {
        let mut bytes = field.to_be_bytes();
        self.bytes(&mut bytes);
        *field = u32::from_be_bytes(bytes);
        self
    }

    /// The low 16 bits of a field that the disk keeps in halves; a reader takes the others to be as they are.
    fn low16(&mut self, field: &mut u32) -> &mut Self {
        let mut half = low16(*field);
        self.u16(&mut half);
        *field = *field & !u32::from(u16::MAX) | u32::from(half);
        self
    }

    /// The high 16 bits.
    fn high16(&mut self, field: &mut u32) -> &mut Self {
        let mut half = high16(*field);
        self.u16(&mut half);
        *field = *field & u32::from(u16::MAX) | u32::from(half) << 16;
        self
    }

    /// The low 32 bits.
    fn low32(&mut self, field: &mut u64) -> &mut Self {
        let mut half = low32(*field);
        self.u32(&mut half);
        *field = *field & !u64::from(u32::MAX) | u64::from(half);
        self
    }

    /// The high 32 bits.
    fn high32(&mut self, field: &mut u64) -> &mut Self {
        let mut half = high32(*field);
        self.u32(&mut half);
        *field = *field & u64::from(u32::MAX) | u64::from(half) << 32;
        self
    }

    /// The bits from 32 to 47, of a field that the disk keeps in 48 bits.
    fn middle16(&mut self, field: &mut u64) -> &mut Self {
        let mut part = low16(high32(*field));
        self.u16(&mut part);
        *field = *field & u64::from(u32::MAX) | u64::from(part) << 32;
        self
    }

    /// The bits from 32 to 39, of a field that the disk keeps in 40 bits.
    fn middle8(&mut self, field: &mut u64) -> &mut Self {
        let mut part = high32(*field) as u8;
        self.u8(&mut part);
        *field = *field & u64::from(u32::MAX) | u64::from(part) << 32;
        self
    }
}

impl Fields for Put<'_> {
    fn bytes(&mut self, field: &mut [u8]) -> &mut Self {
        Put::bytes(self, field)
    }
}

impl Fields for Get<'_> {
    fn bytes(&mut self, field: &mut [u8]) -> &mut Self {
        Get::bytes(self, field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(fields: &mut impl Fields, halves: &mut u32, wide: &mut u64, long: &mut u64, time: &mut u64) {
        fields.low16(halves).low32(wide).low32(long).low32(time);
        fields.high16(halves).high32(wide).middle16(long).middle8(time);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut bytes = [0; 23];
        let (mut halves, mut wide, mut long, mut time) = (0x0403_0201, u64::MAX - 7, (1 << 48) - 9, (1 << 40) - 3);
        let mut put = Put::new(&mut bytes);
        describe(&mut put, &mut halves, &mut wide, &mut long, &mut time);
        put.end();
        assert_eq!(bytes[..2], [1, 2]);
        assert_eq!(bytes[14..16], [3, 4]);
        let mut back = (0, 0, 0, 0);
        let mut get = Get::new(&bytes);
        describe(&mut get, &mut back.0, &mut back.1, &mut back.2, &mut back.3);
        get.end();
        assert_eq!(back, (halves, wide, long, time));
    }
}
