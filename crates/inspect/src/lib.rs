//! What is in a root filesystem.
//!
//! A [`View`] is any root filesystem to be looked at: a tree in memory, or a file.

mod path;
mod view;

pub use path::{absolute, name, parent};
pub use view::{Kind, Stat, View, end_of_links, exists, is_executable};
