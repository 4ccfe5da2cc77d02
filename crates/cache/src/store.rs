//! A cache, open: entries are found, begun, published and discarded.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nex_fault::{Note, Setting, whole};
use nex_file::base::Base;
use nex_file::directory::Directory;
use nex_file::way;

use crate::doubt::Doubt;
use crate::entry::{Entry, Missing};
use crate::error::{CacheError, NoRoom};
use crate::evict;
use crate::key::{Key, Shelf};
use crate::new_entry::NewEntry;
use crate::shelves::{LAYOUT, Shelves};

/// The size that a cache may have when nobody says another: some ten large images with their layers, or a hundred small
/// ones, and less than a container engine's own store takes for them.
pub const DEFAULT_LIMIT: u64 = 10 << 30;

/// `$XDG_CACHE_HOME/nex`, or `~/.cache/nex` where there is a home; `None` when the environment names neither.
pub fn default_directory() -> Option<PathBuf> {
    Some(Base::Cache.find()?.join("nex"))
}

/// Where a cache is, and how large it may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// The directory.
    pub directory: PathBuf,
    /// The size in bytes that it may have.
    pub limit: u64,
}

/// The directory that a cache is in; `None` when it is missing and stays so.
fn reach(options: &CacheOptions, missing: way::Missing) -> Result<Option<Directory>, CacheError> {
    Directory::reach(&options.directory, missing).map_err(CacheError::way(&options.directory))
}

/// A cache. Several processes may have the same one open.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shelves: Arc<Shelves>,
    limit: u64,
    has_grown: AtomicBool,
    notes: Mutex<Vec<Note>>,
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
        match reach(options, way::Missing::Made)? {
            Some(directory) => Self::within(&directory, options.limit),
            None => Err(CacheError::NotADirectory(options.directory.clone())),
        }
    }

    /// Opens a cache that is there; `None` where there is none. No directory is made on the way.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_existing(options: &CacheOptions) -> Result<Option<Self>, CacheError> {
        let Some(directory) = reach(options, way::Missing::Left)? else { return Ok(None) };
        directory.stat(LAYOUT).is_ok().then(|| Self::within(&directory, options.limit)).transpose()
    }

    fn within(directory: &Directory, limit: u64) -> Result<Self, CacheError> {
        let shelves = Arc::new(Shelves::within(directory)?);
        let (has_grown, notes, aside) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        let doubt = Mutex::default();
        Ok(Self(Arc::new(Inner { shelves, limit, has_grown, notes, doubt, aside })))
    }

    /// The entry with this key. One that is damaged is removed.
    pub fn get(&self, shelf: Shelf, key: &Key) -> Option<Entry> {
        let entry = self.find(shelf, key);
        let found = if entry.is_some() { "taken from the cache" } else { "not in the cache" };
        tracing::info!(target: "cache", "{}/{}: {found}", shelf.name(), key.as_str());
        entry
    }

    fn find(&self, shelf: Shelf, key: &Key) -> Option<Entry> {
        if !self.doubt().allows(shelf, key) {
            return None;
        }
        match Entry::open(self.0.shelves.shelf(shelf), shelf, key) {
            Ok(entry) => {
                entry.touch();
                self.doubt().take(shelf, key);
                Some(entry)
            }
            Err(Missing::NotThere) => None,
            Err(Missing::Damaged(what)) => {
                // What another process just removes looks damaged too.
                if self.0.shelves.is_there(shelf, key) {
                    self.discard(shelf, key, &what);
                }
                None
            }
        }
    }

    /// Whether there is something with this key that may be of use, whole or damaged.
    pub fn has(&self, shelf: Shelf, key: &Key) -> bool {
        self.doubt().allows(shelf, key) && self.0.shelves.is_there(shelf, key)
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
        let path = self.0.shelves.path(shelf, key);
        match self.remove(shelf, key) {
            Ok(()) => {
                self.note(format!("an entry of the cache was damaged and is removed: {what} ({})", path.display()))
            }
            Err(error) => {
                self.doubt().stays(shelf, key);
                self.note(format!(
                    "an entry of the cache is damaged and cannot be removed: {what} ({}): {}",
                    path.display(),
                    whole(&error)
                ));
            }
        }
    }

    /// Begins an entry of about so many bytes; `None` when there is no room for it or the cache cannot be written to, which
    /// is noted.
    pub fn begin(&self, shelf: Shelf, key: &Key, about: &str, bytes: u64) -> Option<NewEntry> {
        tracing::debug!(target: "cache", "{}/{}: a new entry of about {bytes} bytes begins", shelf.name(), key.as_str());
        let begun = self.check_room(bytes).and_then(|()| NewEntry::create(&self.0.shelves, shelf, key, about));
        begun.map_err(|error| self.not_stored(&error)).ok()
    }

    /// Publishes an entry; one that cannot be is noted.
    pub fn publish(&self, entry: NewEntry) {
        tracing::info!(target: "cache", "{}: put into the cache", entry.name());
        match entry.publish() {
            Ok(()) => self.0.has_grown.store(true, Ordering::Relaxed),
            Err(error) => self.not_stored(&error),
        }
    }

    /// Publishes an entry while the caller goes on.
    pub fn publish_aside(&self, entry: NewEntry) {
        let cache = self.clone();
        match std::thread::Builder::new().name("publish".into()).spawn(move || cache.publish(entry)) {
            Ok(thread) => self.0.aside.lock().unwrap_or_else(PoisonError::into_inner).push(thread),
            Err(error) => self.not_stored(&error),
        }
    }

    /// Notes that something could not be kept.
    pub fn not_stored(&self, why: &io::Error) {
        let root = self.0.shelves.root.path();
        let directory = root.parent().unwrap_or(root).display();
        let why = match why.get_ref().and_then(|cause| cause.downcast_ref::<NoRoom>()) {
            Some(no_room) => Note::of(no_room),
            None => Note::new(whole(why)),
        };
        self.note(why.about(&format!("not everything could be kept in the cache '{directory}'")));
    }

    /// Tells the user something, once.
    pub fn note(&self, note: impl Into<Note>) {
        let note = note.into();
        tracing::info!(target: "cache", "{}", note.words(Setting::flag));
        let mut notes = self.0.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// The build has got through. Removes what was in its way, and what was of no use for the longest time, if the cache has
    /// grown past its limit, and gives all notes.
    pub fn finish(&self) -> Vec<Note> {
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
            && let Err(error) = evict::evict(&self.0.shelves, self.0.limit, Duration::ZERO)
            // Another process is at it.
            && error.kind() != io::ErrorKind::WouldBlock
        {
            self.note(format!("the cache may be larger than its limit: {}", whole(&error)));
        }
        std::mem::take(&mut *self.0.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// When it is there and stays.
    pub fn remove(&self, shelf: Shelf, key: &Key) -> io::Result<()> {
        self.0.shelves.remove(shelf, key)
    }

    /// Its directories.
    pub(crate) fn shelves(&self) -> &Shelves {
        &self.0.shelves
    }

    /// Refuses what would not stay, or would take the last of the disk from others.
    ///
    /// # Errors
    /// [`NoRoom`] in it, and what the system says.
    pub fn check_room(&self, bytes: u64) -> io::Result<()> {
        evict::check_room(&self.0.shelves.root, bytes, self.0.limit)
    }
}

#[cfg(test)]
mod tests;
