//! A header record of ustar, field by field.

use crate::record::{
    CHECKSUM, DEVICE_MAJOR, DEVICE_MINOR, GID, LINK_NAME, MAGIC_AND_VERSION, MODE, MTIME, NAME, RECORD, Record, SIZE,
    TYPE, UID, sum,
};

/// A record on its way. Names fit their fields, and numbers the digits of theirs: the caller sees to that.
pub(super) struct Ustar(Record);

impl Ustar {
    /// An empty name, and zeros for all numbers.
    pub(super) fn new(kind: u8) -> Self {
        let mut record = [0; RECORD];
        record[MAGIC_AND_VERSION].copy_from_slice(b"ustar\x0000");
        record[TYPE] = kind;
        Self(record).mode(0).owner(0, 0).size(0).time(0)
    }

    pub(super) fn name(mut self, name: &[u8]) -> Self {
        self.0[NAME][..name.len()].copy_from_slice(name);
        self
    }

    pub(super) fn link_name(mut self, name: &[u8]) -> Self {
        self.0[LINK_NAME][..name.len()].copy_from_slice(name);
        self
    }

    pub(super) fn mode(mut self, mode: u16) -> Self {
        octal(&mut self.0[MODE], mode.into());
        self
    }

    pub(super) fn owner(mut self, uid: u32, gid: u32) -> Self {
        octal(&mut self.0[UID], uid.into());
        octal(&mut self.0[GID], gid.into());
        self
    }

    pub(super) fn size(mut self, size: u64) -> Self {
        octal(&mut self.0[SIZE], size);
        self
    }

    pub(super) fn time(mut self, seconds: u64) -> Self {
        octal(&mut self.0[MTIME], seconds);
        self
    }

    pub(super) fn device(mut self, major: u32, minor: u32) -> Self {
        octal(&mut self.0[DEVICE_MAJOR], major.into());
        octal(&mut self.0[DEVICE_MINOR], minor.into());
        self
    }

    /// The record, with its checksum.
    pub(super) fn seal(mut self) -> Record {
        let sum = sum(&self.0, i64::from);
        octal(&mut self.0[CHECKSUM], sum.unsigned_abs());
        self.0
    }
}

/// Digits that fill a field up to the NUL at its end.
fn octal(field: &mut [u8], mut number: u64) {
    let Some((end, digits)) = field.split_last_mut() else { return };
    *end = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 8) as u8;
        number /= 8;
    }
    debug_assert_eq!(number, 0, "the number has too many digits");
}
