//! Writes ext4 file systems, data first and metadata last, reads any, and changes those of its own form.
//!
//! No mount, no mkfs, no privilege: an ordinary file is filled in two phases.
//!
//! 1. The **data phase** ([`Writer::file`]) puts the bytes of each regular file at their final place, in the order in
//!    which they arrive. Nothing has to be known about names or sizes beforehand.
//! 2. The **metadata phase** ([`Writer::finish`]) is given the [`Tree`] of names, and writes everything else behind the
//!    data: directories, extended attributes, journal, bitmaps, inode tables, and the superblock as the commit point.
//!
//! Between the two, the caller may build the tree in any way it likes; content that no name reaches in the end is free
//! space, and its bytes are punched out of the file.
//!
//! A file system that exists is read by a [`reader::Reader`], whoever made it: anything that can be [read](ReadAt) holds one.
//! One of ours, which a kernel may have changed since, is changed in place by an [`Editor`]: any [`Storage`] holds one, and a
//! stop at any moment leaves it as it was or as it shall be.

mod acl;
mod bitmap;
pub mod codes;
mod content;
mod csum;
mod cursor;
mod data;
mod directory;
mod dirent;
mod dirhash;
mod disk;
mod editor;
mod error;
mod extent;
mod feature;
mod fields;
mod file_type;
mod geometry;
mod get;
mod group_descriptor;
mod group_metadata;
mod htree;
mod inode;
mod inode_table;
mod jbd2;
mod journal;
mod new_superblock;
mod numbering;
mod options;
mod put;
mod read_at;
pub mod reader;
mod resize_inode;
mod sizing;
mod storage;
mod superblock;
mod tree;
mod tree_blocks;
mod usage;
mod writer;
mod xattr;

pub use content::{Content, Extent};
pub use data::FileWriter;
pub use editor::{EditError, Editor, Grown, Outcome, Replaced, Replacement};
pub use error::{Error, EscapedPath, XattrError};
pub use feature::{Feature, FeatureSet};
pub use file_type::FileType;
pub use inode::LINK_MAX;
pub use options::{Journal, Layout, Options, Report, Reserved, Size, Sizes};
pub use read_at::ReadAt;
pub use storage::Storage;
pub use tree::{Device, Directory, Inode, InodeId, Kind, Metadata, Timestamp, Tree, Xattr};
pub use writer::Writer;
pub use xattr::check_xattrs;

/// The size of a block, in bytes. The only one that this crate writes.
pub const BLOCK_SIZE: u64 = 4096;
