//! A layer: what it says about names, read from its tar stream.

mod acl;
mod entry;
mod path;
mod pax;
mod tar;
mod whiteout;

pub use entry::{Entry, EntryKind, Node, NodeKind};
pub use path::{LayerPath, NAME_MAX, PATH_MAX, PathError, symlink_target};
pub use tar::{ContentSink, CopyError, TarError, TarHeader, TarKind, TarReader, Types};
pub use whiteout::{Marker, marker};
