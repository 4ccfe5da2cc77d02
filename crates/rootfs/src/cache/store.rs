//! The directory of a cache and its shelves.
//!
//! ```text
//! CACHE/v1/CACHEDIR.TAG               tells programs that make backups to leave it out
//! CACHE/v1/making/                    what is in the making, and what is being removed
//! CACHE/v1/SHELF/sha256-HEX/entry     an entry's header
//! CACHE/v1/SHELF/sha256-HEX/...       its files
//! ```

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use nex_file::private;
use rustix::fs::FlockOperation;

use super::directory;
use super::entry::{Entry, Missing};
use super::error::CacheError;
use super::evict;
use super::key::{Key, Shelf};
use super::leftovers;
use super::new_entry::NewEntry;

/// The size that a cache may have when nobody says another: some ten large images with their layers, or a hundred small
/// ones, and less than a container engine's own store takes for them.
pub const DEFAULT_LIMIT: u64 = 10 << 30;

/// Changes when a cache of the old form cannot be used any more. The old directory then stays until somebody removes it.
pub(super) const LAYOUT: &str = "v1";

/// Where entries are made.
const MAKING: &str = "making";

/// <https://bford.info/cachedir/>.
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# Files that nex can make again.\n";

/// Where a cache is, and how large it may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// The directory.
    pub directory: PathBuf,
    /// The size in bytes that it may have.
    pub limit: u64,
}

/// A cache. Several processes may have the same one open.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    limit: u64,
    has_grown: AtomicBool,
    notes: Mutex<Vec<String>>,
    /// Threads that publish.
    aside: Mutex<Vec<JoinHandle<()>>>,
}

impl Cache {
    /// Opens a cache, made where it is missing, and removes what killed processes have left in it.
    ///
    /// # Errors
    /// When there is none to be had, or others can write to it.
    pub fn open(options: &CacheOptions) -> Result<Self, CacheError> {
        directory::open(&options.directory)?;
        let root = options.directory.join(LAYOUT);
        directory::create(&root)?;
        for name in Shelf::ALL.iter().map(|shelf| shelf.name()).chain([MAKING]) {
            directory::create(&root.join(name))?;
        }
        let tag = root.join("CACHEDIR.TAG");
        // Where it is already, it stays; where it cannot be made, only backups miss it.
        drop(private::create_file(&tag).and_then(|mut file| file.write_all(TAG.as_bytes())));
        // A cache that cannot be written to has nothing in the making.
        drop(leftovers::remove_abandoned(&root.join(MAKING)));
        let (has_grown, notes, aside) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Inner { root, limit: options.limit, has_grown, notes, aside })))
    }

    /// The entry with this key. One that is damaged is removed.
    pub fn get(&self, shelf: Shelf, key: &Key) -> Option<Entry> {
        match Entry::open(&self.path(shelf, key), shelf, key) {
            Ok(entry) => {
                entry.touch();
                Some(entry)
            }
            Err(Missing::NotThere) => None,
            Err(Missing::Damaged(what)) => {
                // What another process just removes looks damaged too.
                if self.path(shelf, key).symlink_metadata().is_ok() {
                    self.discard(shelf, key, &what);
                }
                None
            }
        }
    }

    /// Whether there is something with this key, whole or damaged.
    pub fn has(&self, shelf: Shelf, key: &Key) -> bool {
        self.path(shelf, key).symlink_metadata().is_ok()
    }

    /// Removes an entry that is not what it should be, and notes why.
    pub fn discard(&self, shelf: Shelf, key: &Key, what: &str) {
        let path = self.path(shelf, key);
        match self.remove(shelf, key) {
            Ok(()) => {
                self.note(format!("an entry of the cache was damaged and is removed: {what} ({})", path.display()))
            }
            Err(error) => self.note(format!(
                "an entry of the cache is damaged and cannot be removed: {what} ({}): {error}",
                path.display()
            )),
        }
    }

    /// Begins an entry of about so many bytes; `None` when there is no room for it or the cache cannot be written to, which
    /// is noted.
    pub fn begin(&self, shelf: Shelf, key: &Key, about: &str, bytes: u64) -> Option<NewEntry> {
        let begun = self.check_room(bytes).and_then(|()| {
            NewEntry::create(&self.0.root.join(MAKING), self.path(shelf, key), shelf, key.clone(), about)
        });
        begun.map_err(|error| self.not_kept(&error)).ok()
    }

    /// Publishes an entry; one that cannot be is noted.
    pub fn publish(&self, entry: NewEntry) {
        match entry.publish() {
            Ok(()) => self.0.has_grown.store(true, Ordering::Relaxed),
            Err(error) => self.not_kept(&error),
        }
    }

    /// Publishes an entry while the caller goes on.
    pub(super) fn publish_aside(&self, entry: NewEntry) {
        let cache = self.clone();
        match std::thread::Builder::new().name("publish".into()).spawn(move || cache.publish(entry)) {
            Ok(thread) => self.0.aside.lock().unwrap_or_else(PoisonError::into_inner).push(thread),
            Err(error) => self.not_kept(&error),
        }
    }

    /// Notes that something could not be kept.
    pub fn not_kept(&self, why: &io::Error) {
        let directory = self.0.root.parent().unwrap_or(&self.0.root).display();
        self.note(format!("not everything could be kept in the cache '{directory}': {why}"));
    }

    /// Tells the user something, once.
    pub fn note(&self, note: String) {
        let mut notes = self.0.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// Removes what was of no use for the longest time, if the cache has grown past its limit, and gives all notes.
    pub fn finish(&self) -> Vec<String> {
        let aside = std::mem::take(&mut *self.0.aside.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in aside {
            // A thread that failed has kept less, and that is all.
            drop(thread.join());
        }
        if self.0.has_grown.swap(false, Ordering::Relaxed)
            && let Err(error) = evict::evict(self, self.0.limit, FlockOperation::NonBlockingLockExclusive)
        {
            self.note(format!("the cache may be larger than its limit: {error}"));
        }
        std::mem::take(&mut *self.0.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes an entry.
    pub(super) fn remove(&self, shelf: Shelf, key: &Key) -> io::Result<()> {
        leftovers::remove(&self.0.root.join(MAKING), &self.path(shelf, key))
    }

    /// The directory of a shelf.
    pub(super) fn shelf(&self, shelf: Shelf) -> PathBuf {
        self.0.root.join(shelf.name())
    }

    /// The directory in which all shelves are.
    pub(super) fn root(&self) -> &Path {
        &self.0.root
    }

    /// The directory of an entry, there or not.
    pub(super) fn path(&self, shelf: Shelf, key: &Key) -> PathBuf {
        self.shelf(shelf).join(key.as_str())
    }

    /// Refuses what would not stay, or would take the last of the disk from others.
    pub(super) fn check_room(&self, bytes: u64) -> io::Result<()> {
        evict::check_room(&self.0.root, bytes, self.0.limit)
    }
}

#[cfg(test)]
mod tests;
