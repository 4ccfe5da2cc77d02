//! Where the bytes of a regular file are.

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
