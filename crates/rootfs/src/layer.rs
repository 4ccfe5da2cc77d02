//! A layer: what it says about names.

mod entry;
mod path;
mod whiteout;

pub use entry::{Entry, EntryKind, Node, NodeKind};
pub use path::{LayerPath, NAME_MAX, PATH_MAX, PathError, symlink_target};
pub use whiteout::{Marker, marker};
