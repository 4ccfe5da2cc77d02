//! Reads on-disk structures field by field, in the order of the disk.

/// A cursor over the bytes of one structure, the counterpart of [`Put`](crate::put::Put).
///
/// Running past the structure's end panics, and so does ending short of it: both mean that the code names the fields
/// wrongly, whatever the bytes are.
pub(crate) struct Get<'a> {
    rest: &'a [u8],
}

impl<'a> Get<'a> {
    /// Starts at the first field; `bytes` is as long as the structure.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, field: &mut [u8]) -> &mut Self {
        let (bytes, rest) = self.rest.split_at(field.len());
        field.copy_from_slice(bytes);
        self.rest = rest;
        self
    }

    /// Every field was read.
    pub fn end(&self) {
        assert!(self.rest.is_empty(), "{} bytes of the structure were not read", self.rest.len());
    }
}
