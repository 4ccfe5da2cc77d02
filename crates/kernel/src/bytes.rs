//! Reads numbers of a file that may end anywhere.

/// So many bytes at a place; `None` when the file ends before.
pub fn slice(bytes: &[u8], offset: usize, length: usize) -> Option<&[u8]> {
    bytes.get(offset..offset.checked_add(length)?)
}

/// A byte.
pub fn u8(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

/// Two bytes, little endian.
pub fn u16(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(slice(bytes, offset, 2)?.try_into().ok()?))
}

/// Four bytes, little endian, as an offset or a length.
pub fn offset(bytes: &[u8], offset: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(slice(bytes, offset, 4)?.try_into().ok()?)).ok()
}
