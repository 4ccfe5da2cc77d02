//! The cache: what earlier builds have read and made, kept for later ones.
//!
//! A cache is a directory of *entries*. An entry is a directory with some files and a header, found by a [`Key`], and
//! never changed once it has its name. Nothing depends on an entry being there: one that is damaged, or that another
//! process removes, is as if it had never been.
//!
//! Paths lead to a cache once, when it is opened (`way`). From then on everything goes through handles of directories that are
//! the caller's alone (`nex_file::directory`): a new part of this crate takes a `Directory` and names in it, and no path.

mod clone;
pub mod codes;
mod doubt;
mod entry;
mod error;
mod evict;
mod header;
mod key;
mod manage;
mod new_entry;
mod share;
mod shelves;
mod store;
mod sum;

pub use clone::{Means, clone_range};
pub use entry::Entry;
pub use error::{CacheError, NoRoom};
pub use evict::Room;
pub use key::{Key, Shelf};
pub use manage::{
    CacheReport, CacheUsage, CollectReport, Damage, KindUsage, Listed, VerifyReport, age, collect, list, verify,
};
pub use new_entry::NewEntry;
pub use store::{Cache, CacheOptions, DEFAULT_LIMIT, default_directory};
