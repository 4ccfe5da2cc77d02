//! What the caller decides, and what it is told in the end.

/// What must be known before the first byte is placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The size in bytes up to which the file system can later grow with its resize inode; growth past it works too,
    /// but changes the format (`meta_bg`). It fixes how many blocks the descriptors and their reserve take. The resize
    /// inode lists 1,024 blocks of reserve, which is 8 TiB of growth.
    pub max_size: u64,
    /// The size in bytes, when it is fixed beforehand. Data past it is counted but not written, so that
    /// [`Writer::finish`](crate::Writer::finish) can say what is needed without filling the disk.
    pub size_limit: Option<u64>,
}

impl Default for Layout {
    /// Room to grow to 256 GiB; no fixed size.
    fn default() -> Self {
        Self { max_size: 256 << 30, size_limit: None }
    }
}

/// How large the file system becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Exactly so many bytes of file. The file system in it ends at a whole block, and leaves off a last block group
    /// that could not even hold its own metadata, as mke2fs does.
    Exact(u64),
    /// What the content needs, and room for work, rounded up to a whole MiB.
    Auto {
        /// The room in bytes; `None` is 64 MiB or a tenth of the content, whichever is more.
        free: Option<u64>,
    },
}

/// How many blocks the journal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Journal {
    /// As many as mke2fs takes for a file system of the size, or fewer where the content leaves less room.
    #[default]
    Usual,
    /// So many: [`MIN_BLOCKS`](Self::MIN_BLOCKS) to [`MAX_BLOCKS`](Self::MAX_BLOCKS).
    Blocks(u64),
    /// There is none (no `has_journal`): smaller and faster, but a stop without unmounting wants a full check.
    None,
}

/// What only root may fill (`s_r_blocks_count`): at most half of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// So many blocks.
    Blocks(u64),
    /// So many of 10,000 parts of the file system.
    Share(u16),
}

impl Default for Reserved {
    /// Nothing: a microVM's workload may fill its disk.
    fn default() -> Self {
        Self::Blocks(0)
    }
}

/// How large the file system and its parts become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// How large the file system becomes.
    pub size: Size,
    /// The least number of inodes, those in use and the ten reserved ones included, in place of the usual ratio of one
    /// for 16 KiB of each full group and a quarter to spare.
    pub inodes: Option<u64>,
    /// How large the journal becomes.
    pub journal: Journal,
    /// What only root may fill.
    pub reserved: Reserved,
}

impl From<Size> for Sizes {
    /// This size, and the usual parts.
    fn from(size: Size) -> Self {
        Self { size, inodes: None, journal: Journal::default(), reserved: Reserved::default() }
    }
}

/// What must be known to write the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How large the file system and its parts become.
    pub sizes: Sizes,
    /// The file system's identity (`s_uuid`), which also seeds every checksum.
    pub uuid: [u8; 16],
    /// Seeds the hash of names in indexed directories (`s_hash_seed`); the kernel reads it as four little-endian words.
    pub hash_seed: [u8; 16],
    /// The volume's name (`s_volume_name`), padded with NULs.
    pub label: [u8; 16],
    /// When the file system was made, in seconds since 1970 (`s_mkfs_time`); also the time of what the writer adds itself.
    pub time: i64,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file's length in bytes.
    pub size: u64,
    /// The smallest size in bytes that would have done, with the smallest journal.
    pub needed: u64,
    /// The file system's blocks, of 4,096 bytes each.
    pub block_count: u64,
    /// Blocks that are free.
    pub free_blocks: u64,
    /// Those of the free blocks that only root may fill.
    pub reserved_blocks: u64,
    /// Inodes that the file system can hold.
    pub inode_count: u32,
    /// Inodes that are free.
    pub free_inodes: u32,
    /// The journal's blocks; 0 where there is none.
    pub journal_blocks: u32,
    /// Blocks of the inodes' own content: files, directories, links, extended attributes and extent trees.
    pub content_blocks: u64,
}
