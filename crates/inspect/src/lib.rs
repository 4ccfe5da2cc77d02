//! What is in a root filesystem.
//!
//! A [`View`] is any root filesystem to be looked at: a tree in memory, or a file. [`RootFs`] is one in its ext4 file, opened
//! once, read without a mount and without trust; [`ReaderView`] is one that somebody else reads already.

pub mod codes;

mod disk;
mod error;
mod other;
mod path;
mod reader_view;
mod root_fs;
mod view;

pub use error::RootFsError;
pub use path::{absolute, name, parent};
pub use reader_view::{ReaderView, Trouble};
pub use root_fs::{RootFs, read_superblock};
pub use view::{Kind, Stat, View, end_of_links, exists, is_executable};
