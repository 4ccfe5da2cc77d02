//! Records of 512 bytes, of which a tar consists, and where the fields of a header stand in one.
//!
//! The fields are those of POSIX.1-1988 (`pax`, "ustar Interchange Format"), and those that GNU tar has where POSIX has its prefix
//! ("Basic Tar Format" in its manual).

use std::ops::Range;

/// The size of a tar record and of everything that content is padded to.
pub const RECORD: usize = 512;

/// A record of the stream.
pub type Record = [u8; RECORD];

pub const NAME: Range<usize> = 0..100;
pub const MODE: Range<usize> = 100..108;
pub const UID: Range<usize> = 108..116;
pub const GID: Range<usize> = 116..124;
pub const SIZE: Range<usize> = 124..136;
pub const MTIME: Range<usize> = 136..148;
pub const CHECKSUM: Range<usize> = 148..156;
pub const TYPE: usize = 156;
pub const LINK_NAME: Range<usize> = 157..257;
pub const MAGIC: Range<usize> = 257..263;
/// The magic with the version behind it.
pub const MAGIC_AND_VERSION: Range<usize> = 257..265;
pub const DEVICE_MAJOR: Range<usize> = 329..337;
pub const DEVICE_MINOR: Range<usize> = 337..345;
pub const PREFIX: Range<usize> = 345..500;
/// Old GNU's first regions of a sparse file: four offsets and lengths.
pub const GNU_REGIONS: Range<usize> = 386..482;
/// Whether records with more of them follow.
pub const GNU_IS_EXTENDED: usize = 482;
/// The length of a sparse file, holes included.
pub const GNU_REAL_SIZE: Range<usize> = 483..495;

/// The sum of a header's bytes, each as this number, where its checksum stands counted as spaces.
pub fn sum(record: &Record, value: fn(u8) -> i64) -> i64 {
    let bytes = record.iter().enumerate();
    bytes.map(|(at, &byte)| value(if CHECKSUM.contains(&at) { b' ' } else { byte })).sum()
}

/// The zeros behind content of `size` bytes.
pub fn padding(size: u64) -> &'static [u8] {
    const ZEROS: Record = [0; RECORD];
    let rest = (size % RECORD as u64) as usize;
    &ZEROS[..(RECORD - rest) % RECORD]
}

#[cfg(test)]
mod tests {
    use super::padding;

    #[test]
    fn padding_fills_the_block() {
        assert_eq!([0, 1, 511, 512, 513].map(|size| padding(size).len()), [0, 511, 1, 0, 511]);
    }
}
