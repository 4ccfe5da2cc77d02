//! Writes on-disk structures field by field, in the order of the disk.

/// A cursor over the bytes of one structure. ext4 is little-endian.
///
/// Running past the structure's end panics, and so does ending short of it: both mean that the code names the fields
/// wrongly, whatever the input is.
pub(crate) struct Put<'a> {
    rest: &'a mut [u8],
}

impl<'a> Put<'a> {
    /// Starts at the first field; `bytes` is as long as the structure.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { rest: bytes }
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    /// A 16-bit word (`__le16`).
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// A 32-bit word (`__le32`).
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let (field, rest) = std::mem::take(&mut self.rest).split_at_mut(value.len());
        field.copy_from_slice(value);
        self.rest = rest;
        self
    }

    /// A field that keeps what it has: zeros, where the structure was zero before.
    pub fn skip(&mut self, length: usize) -> &mut Self {
        self.rest = std::mem::take(&mut self.rest).split_at_mut(length).1;
        self
    }

    /// Everything up to the structure's end keeps what it has.
    pub fn skip_rest(&mut self) {
        self.rest = &mut [];
    }

    /// Every field was written.
    pub fn end(&self) {
        assert!(self.rest.is_empty(), "{} bytes of the structure were not written", self.rest.len());
    }
}

/// The low 16 bits, for fields that the disk keeps in halves.
pub(crate) fn low16(value: u32) -> u16 {
    value as u16
}

/// The high 16 bits.
pub(crate) fn high16(value: u32) -> u16 {
    (value >> 16) as u16
}

/// The low 32 bits.
pub(crate) fn low32(value: u64) -> u32 {
    value as u32
}

/// The high 32 bits.
pub(crate) fn high32(value: u64) -> u32 {
    (value >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_follow_each_other_little_endian() {
        let mut bytes = [0xff; 11];
        Put::new(&mut bytes).u8(1).u16(0x0302).u32(0x0706_0504).skip(2).bytes(b"xy").end();
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 0xff, 0xff, b'x', b'y']);
    }

    #[test]
    #[should_panic(expected = "1 bytes of the structure")]
    fn a_structure_that_ends_early_is_a_bug() {
        Put::new(&mut [0; 3]).u16(0).end();
    }
}
