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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nex_file::way;

use super::directory::Directory;
use super::doubt::Doubt;
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

/// The name of what tells programs that make backups.
const TAG_NAME: &str = "CACHEDIR.TAG";

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
    root: Directory,
    making: Directory,
    /// In the order of [`Shelf::ALL`].
    shelves: [Directory; Shelf::ALL.len()],
    limit: u64,
    has_grown: AtomicBool,
    notes: Mutex<Vec<String>>,
    doubt: Mutex<Doubt>,
    /// Threads that publish.
    aside: Mutex<Vec<JoinHandle<()>>>,
}

impl Cache {
    /// Opens a cache, made where it is missing, and removes what killed processes have left in it.
    ///
    /// # Errors
    /// When there is none to be had, or others can write to it.
    pub fn open(options: &CacheOptions) -> Result<Self, CacheError> {
        match Directory::reach(&options.directory, way::Missing::Made)? {
            Some(directory) => Self::within(&directory, options.limit),
            None => Err(CacheError::NotADirectory(options.directory.clone())),
        }
    }

    /// Opens a cache that is there; `None` where there is none. No directory is made on the way.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_existing(options: &CacheOptions) -> Result<Option<Self>, CacheError> {
        let Some(directory) = Directory::reach(&options.directory, way::Missing::Left)? else { return Ok(None) };
        directory.stat(LAYOUT).is_ok().then(|| Self::within(&directory, options.limit)).transpose()
    }

    fn within(directory: &Directory, limit: u64) -> Result<Self, CacheError> {
        let root = directory.level(LAYOUT)?;
        let [blobs, references, layers, scripts] = Shelf::ALL.map(|shelf| root.level(shelf.name()));
        let (shelves, making) = ([blobs?, references?, layers?, scripts?], root.level(MAKING)?);
        // Only backups miss it.
        drop(root.new_file(TAG_NAME).and_then(|mut tag| tag.write_all(TAG.as_bytes())));
        // A cache that cannot be written to has nothing in the making.
        drop(leftovers::remove_abandoned(&making));
        let (has_grown, notes, aside) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        let doubt = Mutex::default();
        Ok(Self(Arc::new(Inner { root, making, shelves, limit, has_grown, notes, doubt, aside })))
    }

    /// The entry with this key. One that is damaged is removed.
    pub fn get(&self, shelf: Shelf, key: &Key) -> Option<Entry> {
        if !self.doubt().allows(shelf, key) {
            return None;
        }
        match Entry::open(self.shelf(shelf), shelf, key) {
            Ok(entry) => {
                entry.touch();
                self.doubt().take(shelf, key);
                Some(entry)
            }
            Err(Missing::NotThere) => None,
            Err(Missing::Damaged(what)) => {
                // What another process just removes looks damaged too.
                if self.is_there(shelf, key) {
                    self.discard(shelf, key, &what);
                }
                None
            }
        }
    }

    /// Whether there is something with this key that may be of use, whole or damaged.
    pub fn has(&self, shelf: Shelf, key: &Key) -> bool {
        self.doubt().allows(shelf, key) && self.is_there(shelf, key)
    }

    /// Whether something has the name of this entry.
    pub(super) fn is_there(&self, shelf: Shelf, key: &Key) -> bool {
        self.shelf(shelf).stat(key.as_str()).is_ok()
    }

    fn doubt(&self) -> MutexGuard<'_, Doubt> {
        self.0.doubt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a layer or a script's changes were taken, which may be why something fails.
    pub fn has_given(&self) -> bool {
        self.doubt().has_taken()
    }

    /// Gives no layers and no scripts' changes any more. If `reason` tells a failure, those that it has given may be its cause:
    /// when the build gets through without them, [`finish`](Self::finish) removes them.
    pub fn give_nothing(&self, reason: Option<String>) {
        self.doubt().begin(reason);
    }

    /// Removes an entry that is not what it should be, and notes why. If it cannot be removed, this cache takes it for missing
    /// from now on.
    pub fn discard(&self, shelf: Shelf, key: &Key, what: &str) {
        let path = self.path(shelf, key);
        match self.remove(shelf, key) {
            Ok(()) => {
                self.note(format!("an entry of the cache was damaged and is removed: {what} ({})", path.display()))
            }
            Err(error) => {
                self.doubt().stays(shelf, key);
                self.note(format!(
                    "an entry of the cache is damaged and cannot be removed: {what} ({}): {error}",
                    path.display()
                ));
            }
        }
    }

    /// Begins an entry of about so many bytes; `None` when there is no room for it or the cache cannot be written to, which
    /// is noted.
    pub fn begin(&self, shelf: Shelf, key: &Key, about: &str, bytes: u64) -> Option<NewEntry> {
        let begun = self.check_room(bytes).and_then(|()| NewEntry::create(self, shelf, key, about));
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
        let root = self.0.root.path();
        let directory = root.parent().unwrap_or(root).display();
        self.note(format!("not everything could be kept in the cache '{directory}': {why}"));
    }

    /// Tells the user something, once.
    pub fn note(&self, note: String) {
        let mut notes = self.0.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// The build has got through. Removes what was in its way, and what was of no use for the longest time, if the cache has
    /// grown past its limit, and gives all notes.
    pub fn finish(&self) -> Vec<String> {
        let (wrong, why) = self.doubt().end();
        for (shelf, key) in &wrong {
            self.discard(*shelf, key, &format!("a build failed with it and not without: {why}"));
        }
        let aside = std::mem::take(&mut *self.0.aside.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in aside {
            // A thread that failed has kept less, and that is all.
            drop(thread.join());
        }
        if self.0.has_grown.swap(false, Ordering::Relaxed)
            && let Err(error) = evict::evict(self, self.0.limit, Duration::ZERO)
            // Another process is at it.
            && error.kind() != io::ErrorKind::WouldBlock
        {
            self.note(format!("the cache may be larger than its limit: {error}"));
        }
        std::mem::take(&mut *self.0.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes an entry.
    pub(super) fn remove(&self, shelf: Shelf, key: &Key) -> io::Result<()> {
        leftovers::remove(self.making(), self.shelf(shelf), key.as_str())
    }

    /// A shelf.
    pub(super) fn shelf(&self, shelf: Shelf) -> &Directory {
        let [blobs, references, layers, scripts] = &self.0.shelves;
        match shelf {
            Shelf::Blobs => blobs,
            Shelf::References => references,
            Shelf::Layers => layers,
            Shelf::Scripts => scripts,
        }
    }

    /// Where entries are made and removed.
    pub(super) fn making(&self) -> &Directory {
        &self.0.making
    }

    /// The directory in which all shelves are.
    pub(super) fn root(&self) -> &Directory {
        &self.0.root
    }

    /// Where an entry is, there or not, for messages.
    pub(super) fn path(&self, shelf: Shelf, key: &Key) -> PathBuf {
        self.shelf(shelf).path().join(key.as_str())
    }

    /// Refuses what would not stay, or would take the last of the disk from others.
    pub(super) fn check_room(&self, bytes: u64) -> io::Result<()> {
        evict::check_room(&self.0.root, bytes, self.0.limit)
    }
}

#[cfg(test)]
mod tests;
