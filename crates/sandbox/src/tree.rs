//! The tree on the disk: laid out, looked at, compared, removed. All through handles that do not leave it.

mod changes;
mod identity;
mod layout;
mod remove;
mod snapshot;
mod walk;
mod xattrs;

pub use changes::send_changes;
pub use identity::{Identity, WANTED};
pub use layout::{Changed, Hidden, Layout, open_directory, split};
pub use remove::remove;
pub use snapshot::Snapshot;
