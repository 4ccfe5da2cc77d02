//! What the user decides about the file system beside its size.

use nex_ext4::{BLOCK_SIZE, Journal, Layout, Reserved, Size, Sizes};
use uuid::Uuid;

use crate::error::Error;

/// The parts of the file system, its names, and the growth that it is prepared for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSystemOptions {
    /// The least number of inodes; else one for 16 KiB, or more when the content needs more.
    pub inodes: Option<u64>,
    /// The journal.
    pub journal: Journal,
    /// What only root may fill.
    pub reserved: Reserved,
    /// The volume's name, padded with NULs.
    pub label: [u8; 16],
    /// The file system's UUID; else one that follows from the inputs.
    pub uuid: Option<Uuid>,
    /// The size in bytes up to which it can grow without another format; else 256 GiB, or the size where that is more.
    pub max_size: Option<u64>,
}

impl FileSystemOptions {
    /// Refuses beforehand what no content could make possible in a file system of this size.
    ///
    /// # Errors
    /// [`Error::FileSystem`], with the bounds.
    pub fn check(&self, size: Size) -> Result<(), Error> {
        self.sizes(size).check(&self.layout(size)).map_err(Error::of_ext4)
    }

    /// What the writer must know before it places the first byte.
    pub(crate) fn layout(&self, size: Size) -> Layout {
        let default = Layout::default();
        let (size_limit, max_size) = match size {
            Size::Exact(size) => (Some(size), default.max_size.max(size)),
            Size::Auto { free } => (None, default.max_size.saturating_add(free.unwrap_or(0))),
        };
        Layout { size_limit, max_size: self.max_size.unwrap_or(max_size) }
    }

    /// The sizes of the file system and its parts.
    pub(crate) fn sizes(&self, size: Size) -> Sizes {
        Sizes { size, inodes: self.inodes, journal: self.journal, reserved: self.reserved }
    }

    /// The journal's size in bytes, when it was asked for.
    pub(crate) fn journal_bytes(&self) -> Option<u64> {
        match self.journal {
            Journal::Blocks(blocks) => Some(blocks.saturating_mul(BLOCK_SIZE)),
            Journal::Usual | Journal::None => None,
        }
    }
}
