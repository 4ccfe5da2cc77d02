//! The directory of a cache and its shelves.
//!
//! ```text
//! CACHE/v1/CACHEDIR.TAG               tells programs that make backups to leave it out
//! CACHE/v1/making/                    what is in the making, and what is being removed
//! CACHE/v1/SHELF/sha256-HEX/entry     an entry's header
//! CACHE/v1/SHELF/sha256-HEX/...       its files
//! ```

use std::io::{self, Write};
use std::path::PathBuf;

use nex_file::directory::Directory;
use nex_file::leftovers;

use crate::error::CacheError;
use crate::key::{Key, Shelf};

/// Changes when a cache of the old form cannot be used any more. The old directory then stays until somebody removes it.
pub const LAYOUT: &str = "v1";

/// Where entries are made.
pub const MAKING: &str = "making";

/// The name of what tells programs that make backups.
pub const TAG_NAME: &str = "CACHEDIR.TAG";

/// <https://bford.info/cachedir/>.
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# Files that nex can make again.\n";

/// The directories of a cache.
#[derive(Debug)]
pub struct Shelves {
    /// That in which all of them are.
    pub root: Directory,
    /// Where entries are made and removed.
    pub making: Directory,
    /// In the order of [`Shelf::ALL`].
    shelves: [Directory; Shelf::ALL.len()],
}

impl Shelves {
    /// Those in a directory, made where they are missing. Removes what killed processes have left in them.
    ///
    /// # Errors
    /// When they cannot be had, or others can write to them.
    pub fn within(directory: &Directory) -> Result<Self, CacheError> {
        let level = |directory: &Directory, name: &str| {
            directory.level(name).map_err(CacheError::way(&directory.path().join(name)))
        };
        let root = level(directory, LAYOUT)?;
        let [blobs, references, layers, scripts] = Shelf::ALL.map(|shelf| level(&root, shelf.name()));
        let (shelves, making) = ([blobs?, references?, layers?, scripts?], level(&root, MAKING)?);
        // Only backups miss it.
        drop(root.new_file(TAG_NAME).and_then(|mut tag| tag.write_all(TAG.as_bytes())));
        // A cache that cannot be written to has nothing in the making.
        drop(leftovers::remove_abandoned(&making));
        Ok(Self { root, making, shelves })
    }

    /// A shelf.
    pub fn shelf(&self, shelf: Shelf) -> &Directory {
        let [blobs, references, layers, scripts] = &self.shelves;
        match shelf {
            Shelf::Blobs => blobs,
            Shelf::References => references,
            Shelf::Layers => layers,
            Shelf::Scripts => scripts,
        }
    }

    /// Whether something has the name of this entry.
    pub fn is_there(&self, shelf: Shelf, key: &Key) -> bool {
        self.shelf(shelf).stat(key.as_str()).is_ok()
    }

    /// Where an entry is, there or not, for messages.
    pub fn path(&self, shelf: Shelf, key: &Key) -> PathBuf {
        self.shelf(shelf).path().join(key.as_str())
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// When it is there and stays.
    pub fn remove(&self, shelf: Shelf, key: &Key) -> io::Result<()> {
        leftovers::remove(&self.making, self.shelf(shelf), key.as_str())
    }
}
