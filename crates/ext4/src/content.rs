//! Where the bytes of a regular file are.

use std::ops::Range;

use crate::BLOCK_SIZE;

/// The longest run that one extent describes (`EXT_INIT_MAX_LEN`), in blocks.
pub(crate) const MAX_EXTENT_LENGTH: u64 = 32_768;
/// An extent tree addresses 2^32 blocks, and the kernel keeps the last one for itself (`ext4_max_size`).
pub(crate) const MAX_FILE_SIZE: u64 = (u32::MAX as u64) * BLOCK_SIZE;

/// A run of blocks that is contiguous both in the file and on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first block within the file.
    pub logical: u32,
    /// The first block on the disk.
    pub physical: u64,
    /// How many blocks; at most 32,768 (the kernel's `EXT_INIT_MAX_LEN`).
    pub length: u32,
}

/// A regular file's bytes as the data phase placed them: a size, and the runs of blocks that hold it.
///
/// Blocks that no extent covers are holes and read as zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    size: u64,
    extents: Extents,
}

/// Nearly every file has one extent or none, so these take no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Extents {
    #[default]
    None,
    One(Extent),
    Many(Box<[Extent]>),
}

impl Content {
    /// A file of `size` bytes in `extents`, which are in ascending logical order and do not overlap.
    pub(crate) fn new(size: u64, extents: Vec<Extent>) -> Self {
        let extents = match extents.as_slice() {
            [] => Extents::None,
            [only] => Extents::One(*only),
            _ => Extents::Many(extents.into_boxed_slice()),
        };
        Self { size, extents }
    }

    /// A file that was placed before, in another file system of the same layout, and whose blocks are now taken over
    /// ([`Writer::take_over`](crate::Writer::take_over)). `None` when extents overlap, are not in order, are too long, or are
    /// not all in `blocks`.
    pub fn placed_before(size: u64, extents: Vec<Extent>, blocks: Range<u64>) -> Option<Self> {
        // The data phase goes forward only, on the disk too.
        let (mut logical, mut physical) = (0, blocks.start);
        for extent in &extents {
            let end = extent.physical.checked_add(extent.length.into())?;
            let is_inside = physical <= extent.physical && end <= blocks.end;
            physical = end;
            let is_whole = extent.length > 0 && u64::from(extent.length) <= MAX_EXTENT_LENGTH;
            if extent.logical < logical || !is_inside || !is_whole {
                return None;
            }
            logical = extent.logical.checked_add(extent.length)?;
        }
        let is_covered = u64::from(logical) <= size.div_ceil(BLOCK_SIZE) && size <= MAX_FILE_SIZE;
        is_covered.then(|| Self::new(size, extents))
    }

    /// The file's size in bytes (`i_size`).
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The runs of blocks, in ascending logical order.
    pub fn extents(&self) -> &[Extent] {
        match &self.extents {
            Extents::None => &[],
            Extents::One(extent) => std::slice::from_ref(extent),
            Extents::Many(extents) => extents,
        }
    }

    /// How many blocks the bytes occupy; holes do not count.
    pub fn blocks(&self) -> u64 {
        self.extents().iter().map(|extent| u64::from(extent.length)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_have_been_placed_is_taken_back() {
        let extent = |logical, physical, length| Extent { logical, physical, length };
        let placed = |size, extents: &[Extent]| Content::placed_before(size, extents.to_vec(), 100..200).is_some();
        assert!(placed(0, &[]));
        assert!(placed(9000, &[extent(0, 100, 1), extent(2, 199, 1)]));
        for (size, extents) in [
            (4096, vec![extent(0, 99, 1)]),
            (4096, vec![extent(0, 200, 1)]),
            (9000, vec![extent(0, 150, 2), extent(1, 160, 1)]),
            (9000, vec![extent(0, 150, 2), extent(2, 151, 1)]),
            (9000, vec![extent(0, 150, 1), extent(1, 140, 1)]),
            (4096, vec![extent(0, 150, 2)]),
            (4096, vec![extent(0, 150, 0)]),
            (4096, vec![extent(0, u64::MAX, 1)]),
            (u64::MAX, vec![extent(u32::MAX, 150, 1)]),
            (u64::MAX, vec![]),
        ] {
            assert!(!placed(size, &extents), "{size} {extents:?}");
        }
    }
}
