//! What the user decides about the file system beside its size.

use nex_ext4::{BLOCK_SIZE, Journal, Layout, Reserved, Size, Sizes};
use uuid::Uuid;

use crate::error::Error;
use crate::output::hex;

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

    /// What decides a byte of the image, beside the UUID itself; `None` when nothing was asked for.
    ///
    /// The text is written out here and must not change: the UUID follows from it.
    pub(crate) fn identity(&self) -> Option<String> {
        let decided = Self { uuid: None, ..*self };
        let number = |number: Option<u64>| number.map_or_else(|| "usual".into(), |number| number.to_string());
        let journal = match self.journal {
            Journal::Usual => "usual".into(),
            Journal::Blocks(blocks) => format!("{blocks} blocks"),
            Journal::None => "none".into(),
        };
        let reserved = match self.reserved {
            Reserved::Blocks(blocks) => format!("{blocks} blocks"),
            Reserved::Share(share) => format!("{share} of 10000"),
        };
        (decided != Self::default()).then(|| {
            format!(
                "inodes {}, journal {journal}, reserved {reserved}, label {}, max size {}",
                number(self.inodes),
                hex(&self.label),
                number(self.max_size),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_that_decides_the_uuid_is_fixed() {
        let usual = FileSystemOptions::default();
        assert_eq!(usual.identity(), None);
        assert_eq!(FileSystemOptions { uuid: Some(Uuid::max()), ..usual }.identity(), None);
        let asked = FileSystemOptions {
            inodes: Some(40),
            journal: Journal::Blocks(4096),
            reserved: Reserved::Share(250),
            label: *b"root\0\0\0\0\0\0\0\0\0\0\0\0",
            uuid: None,
            max_size: Some(1 << 30),
        };
        let text = "inodes 40, journal 4096 blocks, reserved 250 of 10000, label 726f6f74000000000000000000000000, \
                    max size 1073741824";
        assert_eq!(asked.identity().as_deref(), Some(text));
        let other = FileSystemOptions { journal: Journal::None, ..usual };
        let text =
            "inodes usual, journal none, reserved 0 blocks, label 00000000000000000000000000000000, max size usual";
        assert_eq!(other.identity().as_deref(), Some(text));
    }
}
