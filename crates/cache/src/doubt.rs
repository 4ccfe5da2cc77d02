//! What a build has taken from the cache, and whether it may be the reason why the build fails.
//!
//! Checksums find damage. An entry may also have been wrong when it was written. What shows as soon as it is read removes the
//! entry at once; what shows later may as well be the image's fault. The build then begins again and takes nothing: if it gets
//! through, the entries were wrong.

use std::collections::BTreeSet;

use crate::key::{Key, Shelf};

/// An entry.
pub type Named = (Shelf, Key);

/// What is known of entries besides what is in them.
#[derive(Debug, Default)]
pub struct Doubt {
    /// Those that are damaged and could not be removed.
    damaged: BTreeSet<Named>,
    /// Those that were taken so far.
    taken: BTreeSet<Named>,
    /// Whether nothing is taken any more, and if that is because of those that were taken, why.
    reason: Option<Option<String>>,
}

impl Doubt {
    /// Whether an entry may be taken. What a registry has sent is checked by its digest, so it may be in any case.
    pub fn allows(&self, shelf: Shelf, key: &Key) -> bool {
        let is_checked = matches!(shelf, Shelf::Blobs | Shelf::References);
        (is_checked || self.reason.is_none()) && !self.damaged.contains(&(shelf, key.clone()))
    }

    /// An entry was taken.
    pub fn take(&mut self, shelf: Shelf, key: &Key) {
        if matches!(shelf, Shelf::Layers | Shelf::Scripts) {
            self.taken.insert((shelf, key.clone()));
        }
    }

    /// Whether any was.
    pub fn has_taken(&self) -> bool {
        !self.taken.is_empty()
    }

    /// An entry is damaged, and stays.
    pub fn stays(&mut self, shelf: Shelf, key: &Key) {
        self.damaged.insert((shelf, key.clone()));
    }

    /// Takes nothing any more; if `reason` tells a failure, because all that was taken may be its cause.
    pub fn begin(&mut self, reason: Option<String>) {
        self.reason = Some(reason);
    }

    /// Without what was taken, the build got through. Gives what has to go, and why.
    pub fn end(&mut self) -> (BTreeSet<Named>, String) {
        let taken = std::mem::take(&mut self.taken);
        match self.reason.take().flatten() {
            Some(reason) => (taken, reason),
            None => (BTreeSet::new(), String::new()),
        }
    }
}
